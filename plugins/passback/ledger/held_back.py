"""What is not sent, by a person's decision: their own value in the SIS is kept, or what was sent is undone.

* `theirs`: a person's own value in the SIS stays. Of a result nothing is sent until it is released, whatever
  the source says; of a line item the fields that a person changed go out as they stand there.
* `undone`: a value that was taken back is not sent again, also not in mode full. Another value is:
  `sent.intend_results` of a later run releases it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from psycopg2 import sql

from passback.ledger.bulk import INTEGER, copy_in, copy_out, names
from passback.ledger.database import Connection, transaction
from passback.ledger.sent import LINE_ITEMS, RESULTS, Kind, columns_of, fill
from passback.records import TEXT, Frame

if TYPE_CHECKING:
    import pandas as pd

    Why = Literal["theirs", "undone"]

FIELDS: Final = "fields"

HOLD_BACK: Final = sql.SQL("""
    UPDATE {table} AS held SET
        held_back = {why}, held_back_run_id = {run_id},
        held_back_value = (
            SELECT coalesce(jsonb_object_agg(key, value), '{{}}')
            FROM jsonb_each(jsonb_build_object({values}))
            WHERE key = ANY(string_to_array(incoming.fields, ' '))
        )
    FROM pg_temp.incoming
    WHERE held.district = {district} AND {same_key}
""")

RELEASE: Final = sql.SQL("""
    UPDATE {table} AS held SET held_back = '', held_back_run_id = NULL, held_back_value = NULL
    FROM pg_temp.incoming
    WHERE held.district = {district} AND {same_key} AND held.held_back <> ''
""")

# What was taken back stays so: it is the value put back that is sent again.
OVERWRITE: Final = sql.SQL("""
    UPDATE {table} AS held SET
        held_back = CASE held.held_back WHEN 'undone' THEN 'undone' ELSE '' END,
        held_back_run_id = CASE held.held_back WHEN 'undone' THEN held.held_back_run_id END,
        held_back_value = CASE held.held_back WHEN 'undone' THEN held.held_back_value END,
        state = 'intended', run_id = {run_id}, intended_at = now(), answered_at = NULL, answer_status = NULL,
        answer_words = '', settled_run_id = NULL, confirmed_at = NULL,
        in_sis = CASE WHEN incoming.fields <> '' THEN jsonb_build_object({values}) END
    FROM pg_temp.incoming
    WHERE held.district = {district} AND {same_key} AND held.run_id <> {run_id}
""")

HELD_BACK: Final = sql.SQL("""
    SELECT {place}, held_back, held_back_run_id,
           (SELECT coalesce(string_agg(name, ' ' ORDER BY name), '')
            FROM jsonb_object_keys(held_back_value) AS name) AS fields,
           {values}
    FROM {table} WHERE district = {district} AND held_back <> '' ORDER BY {key}
""")


def hold_back_line_items(
    connection: Connection, district: str, run_id: int, why: Why, line_items: pd.DataFrame
) -> None:
    """Keep some line items, or some of their fields, from being sent.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run on which it was decided.
        why: theirs or undone.
        line_items: line_item_id and the content of `records.LINE_ITEM_PLAN` (title, category_id, period_id,
            assign_date, due_date, points_possible): theirs: as the SIS holds it; undone: what is not sent
            again. A column `fields`, names with one space between, restricts it to some of them.
    """
    _hold_back(connection, district, run_id, why, line_items, LINE_ITEMS)


def hold_back_results(
    connection: Connection, district: str, run_id: int, why: Why, results: pd.DataFrame
) -> None:
    """As `hold_back_line_items`, of results.

    The columns are line_item_id, sis_student_id, score (null: none), score_status, score_date and mark.
    """
    _hold_back(connection, district, run_id, why, results, RESULTS)


def release_line_items(connection: Connection, district: str, line_items: pd.DataFrame) -> None:
    """Hold back no longer: column line_item_id. What is not held back stays as it is."""
    _release(connection, district, line_items, LINE_ITEMS)


def release_results(connection: Connection, district: str, results: pd.DataFrame) -> None:
    """Hold back no longer: columns line_item_id, sis_student_id. What is not held back stays as it is."""
    _release(connection, district, results, RESULTS)


def overwrite_line_items(
    connection: Connection, district: str, run_id: int, line_items: pd.DataFrame
) -> None:
    """Note what the SIS holds in place of what we sent, where a run is to send that again.

    The rows count as intended from here on, so that whatever comes between, they are sent; and the trail says
    of the write from which value it was.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that sends them again; what it has begun to send is left as it is.
        line_items: line_item_id, the content as the SIS holds it, and `fields`: empty where it holds nothing.
    """
    _overwrite(connection, district, run_id, line_items, LINE_ITEMS)


def overwrite_results(connection: Connection, district: str, run_id: int, results: pd.DataFrame) -> None:
    """As `overwrite_line_items`, of results."""
    _overwrite(connection, district, run_id, results, RESULTS)


def held_back_line_items(connection: Connection, district: str) -> pd.DataFrame:
    """The line items that are held back.

    Returns:
        line_item_id, assessment_id, class_id, sis_class_id, held_back (theirs or undone), held_back_run_id,
        fields (names of what is held back, one space between), and the content: empty or null where it is
        not among the fields.
    """
    return _held_back(connection, district, LINE_ITEMS)


def held_back_results(connection: Connection, district: str) -> pd.DataFrame:
    """As `held_back_line_items`, of results, with sis_student_id and student_id."""
    return _held_back(connection, district, RESULTS)


def none_held_back() -> tuple[pd.DataFrame, pd.DataFrame]:
    """`held_back_line_items` and `held_back_results` without a row."""
    return _shape(LINE_ITEMS).empty(), _shape(RESULTS).empty()


# --- The same for both kinds ---


def _hold_back(
    connection: Connection, district: str, run_id: int, why: Why, rows: pd.DataFrame, kind: Kind
) -> None:
    told = rows if FIELDS in rows else rows.assign(fields=" ".join(kind.content))
    query = fill(
        HOLD_BACK,
        kind,
        why=sql.Literal(why),
        run_id=sql.Literal(run_id),
        values=_values(kind),
        district=sql.Literal(district),
    )
    with transaction(connection) as cursor:
        copy_in(cursor, told, _told(kind))
        cursor.execute(query)


def _overwrite(connection: Connection, district: str, run_id: int, rows: pd.DataFrame, kind: Kind) -> None:
    query = fill(
        OVERWRITE,
        kind,
        run_id=sql.Literal(run_id),
        values=_values(kind),
        district=sql.Literal(district),
    )
    with transaction(connection) as cursor:
        copy_in(cursor, rows, _told(kind))
        cursor.execute(query)


def _told(kind: Kind) -> Frame:
    return kind.shape("incoming", (*kind.key, *kind.content), fields=TEXT)


def _values(kind: Kind) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{}, incoming.{}").format(sql.Literal(column), sql.Identifier(column))
        for column in kind.content
    )


def _release(connection: Connection, district: str, rows: pd.DataFrame, kind: Kind) -> None:
    with transaction(connection) as cursor:
        copy_in(cursor, rows, kind.shape("incoming", kind.key))
        cursor.execute(fill(RELEASE, kind, district=sql.Literal(district)))


def _held_back(connection: Connection, district: str, kind: Kind) -> pd.DataFrame:
    query = fill(
        HELD_BACK,
        kind,
        place=names((*kind.key, *kind.place)),
        values=columns_of(sql.SQL("held_back_value"), kind),
        district=sql.Literal(district),
    )
    with transaction(connection) as cursor:
        return copy_out(cursor, query, _shape(kind))


def _shape(kind: Kind) -> Frame:
    told = {"held_back": TEXT, "held_back_run_id": INTEGER, FIELDS: TEXT}
    columns = {column: kind.plan.columns[column] for column in (*kind.key, *kind.place)}
    content = {column: kind.plan.columns[column] for column in kind.content}
    return Frame(f"held_back_{kind.table}", columns | told | content, kind.key)
