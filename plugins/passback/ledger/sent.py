"""What was meant for the SIS, what it answered, and what it held when it was read back.

A row's states: intended (a write may or may not have reached the SIS), accepted (2xx), confirmed (read back
equal), refused, not_stored (accepted, read back different), gone (somebody removed the line item in the SIS).
Its columns hold the values last intended, `in_sis` the value the SIS last accepted; null once that has been
read back different. A result without a score status is one that was cleared in the SIS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg2 import sql

from passback.ledger import trail
from passback.ledger.bulk import INTEGER, NULLABLE_INTEGER, copy_in, copy_out, names
from passback.ledger.database import Connection, Cursor, transaction
from passback.records import INSTANT, LINE_ITEM_PLAN, RESULT_PLAN, TEXT, Frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    import pandas as pd


@dataclass(frozen=True)
class Kind:
    """A kind of thing that is written: its table, what identifies it, where it belongs, what may change."""

    name: str  # in the trail
    table: str
    key: tuple[str, ...]
    place: tuple[str, ...]
    content: tuple[str, ...]
    plan: Frame
    sis_id: str  # the id under which the SIS holds it, where that is not ours
    cleared: str  # the condition under which there is nothing for the SIS to hold
    accepted: tuple[str, ...] = ()  # texts of the content that are also known as the SIS last accepted them

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a plan but its action."""
        return (*self.key, *self.place, *self.content)

    def shape(self, name: str, columns: tuple[str, ...], **more: str) -> Frame:
        """A frame of some of the plan's columns and further ones with their types."""
        return Frame(name, {column: self.plan.columns[column] for column in columns} | more, self.key)


LINE_ITEMS: Final = Kind(
    "line_item",
    "line_items",
    ("line_item_id",),
    ("assessment_id", "class_id", "sis_class_id"),
    ("title", "category_id", "period_id", "assign_date", "due_date", "points_possible"),
    LINE_ITEM_PLAN,
    sis_id="sis_line_item_id",
    cleared="false",
    accepted=("category_id",),
)

RESULTS: Final = Kind(
    "result",
    "results",
    ("line_item_id", "sis_student_id"),
    ("assessment_id", "class_id", "student_id", "sis_class_id"),
    ("score", "score_status", "score_date", "mark"),
    RESULT_PLAN,
    sis_id="sis_result_id",
    cleared="held.score_status = ''",
)

THEIRS: Final = "_theirs"

INTEND: Final = sql.SQL("""
    INSERT INTO {table} AS held (district, {columns}, {sis_id}, state, run_id, intended_at, in_sis)
    SELECT %(district)s, {columns}, {sis_id}, 'intended', %(run_id)s, now(), {theirs} FROM pg_temp.incoming
    ON CONFLICT (district, {key}) DO UPDATE SET
        {assignments}, {sis_id} = coalesce(nullif(excluded.{sis_id}, ''), held.{sis_id}),
        state = excluded.state, run_id = excluded.run_id, intended_at = excluded.intended_at,
        answered_at = NULL, answer_status = NULL, answer_words = '', settled_run_id = NULL,
        confirmed_at = NULL, in_sis = coalesce(held.in_sis, excluded.in_sis), {held_back}
""")

# With the first rows of a new ledger: until autovacuum has seen the table, the planner takes it for tiny, and
# may read all of a district for each row that is answered. A role that may not do it gets a warning alone.
NEVER_ANALYSED: Final = sql.SQL("SELECT 1 FROM pg_class WHERE oid = '{table}'::regclass AND reltuples <= 0")
ANALYSE: Final = sql.SQL("ANALYZE {table}")

# What was taken back is held back no more once a later run sends another value; a person's own stays so.
GOES_OUT_AGAIN: Final = sql.SQL("""
    {column} = CASE WHEN held.held_back = 'undone' AND held.held_back_run_id <> excluded.run_id
        AND ({held_content}) IS DISTINCT FROM ({content}) THEN {nothing} ELSE held.{column} END
""")

# The rows that a batch is about, each by its primary key. Before the table of a first night is analysed, the
# planner takes it for small and would join the whole of it to every batch; OFFSET 0 keeps it from doing so.
FOUND: Final = sql.SQL("""
    pg_temp.incoming CROSS JOIN LATERAL (
        SELECT held.*, held.ctid AS place FROM {table} AS held
        WHERE held.district = {district} AND {same_key} OFFSET 0
    ) AS held
""")

# What the SIS holds of ours after an answer, and after reading back. Where the answer was lost, a value that
# is not there tells nothing of the accepted one before it.
IN_SIS_AS_ANSWERED: Final = sql.SQL("CASE incoming.state WHEN 'accepted' THEN {value} ELSE held.in_sis END")
IN_SIS_AS_READ: Final = sql.SQL("""
    CASE incoming.state WHEN 'confirmed' THEN {value} WHEN 'not_stored' THEN nullif(held.in_sis, {value})
        ELSE held.in_sis END
""")

# The run that meant the value stands in the trail, whichever run learned what became of it.
CHANGES: Final = sql.SQL("""
    SELECT {at} AS at, held.run_id, {kind_name} AS kind, held.line_item_id,
           {sis_student_id} AS sis_student_id, held.sis_class_id, held.assessment_id, held.class_id,
           {student_id} AS student_id, held.in_sis AS from_value, {in_sis} AS to_value
    FROM {found}
    WHERE held.in_sis IS DISTINCT FROM {in_sis}
""")

ANSWER: Final = sql.SQL("""
    UPDATE {table} AS answered SET
        state = incoming.state,
        answered_at = CASE WHEN incoming.state <> 'intended' THEN incoming.answered_at END,
        answer_status = incoming.status,
        answer_words = left(incoming.words, 500),
        {sis_id} = coalesce(nullif(incoming.sis_id, ''), held.{sis_id}),
        in_sis = {in_sis}
    FROM {found}
    WHERE answered.ctid = held.place AND held.run_id = %(run_id)s
""")

SETTLE: Final = sql.SQL("""
    UPDATE {table} AS settled SET
        state = incoming.state,
        settled_run_id = %(run_id)s,
        confirmed_at = CASE WHEN incoming.state = 'confirmed' THEN now() END,
        in_sis = {in_sis}
    FROM {found}
    WHERE settled.ctid = held.place
""")

# Somebody took a line item out of the SIS: it and its results are there no more, whatever was known of them.
GONE: Final = sql.SQL("""
    SELECT now() AS at, {run_id} AS run_id, {kind_name} AS kind, held.line_item_id,
           {sis_student_id} AS sis_student_id, held.sis_class_id, held.assessment_id, held.class_id,
           {student_id} AS student_id, held.in_sis AS from_value, NULL::jsonb AS to_value
    FROM {table} AS held JOIN pg_temp.incoming USING (line_item_id)
    WHERE held.district = {district} AND held.in_sis IS NOT NULL
""")

LOSE: Final = sql.SQL("""
    UPDATE {table} AS held SET
        state = 'gone', run_id = {run_id}, {sis_id} = '', answered_at = NULL, answer_status = NULL,
        answer_words = '', settled_run_id = {run_id}, confirmed_at = NULL, in_sis = NULL
    FROM pg_temp.incoming
    WHERE held.district = {district} AND held.line_item_id = incoming.line_item_id
""")

IN_SIS: Final = sql.SQL("""
    SELECT {place}, {values}, {sis_id}, state, run_id FROM {table}
    WHERE district = {district} AND in_sis IS NOT NULL
        AND ({classes}::text[] = '{{}}' OR class_id = ANY({classes}))
        AND ({assessments}::text[] = '{{}}' OR assessment_id = ANY({assessments}))
    ORDER BY {key}
""")

KNOWN: Final = sql.SQL("""
    SELECT {columns} FROM (SELECT *{accepted} FROM {table}) AS held
    WHERE district = {district} AND {among} ORDER BY {key}
""")

# Those of some classes: the line items first, for the results are found by them.
AMONG: Final = sql.SQL("""
    line_item_id = ANY (ARRAY(
        SELECT line_item_id FROM passback.line_items
        WHERE district = {district} AND (class_id = ANY ({classes}) OR sis_class_id = ANY ({gradebooks}))
    ))
""")


@dataclass(frozen=True)
class Gradebooks:
    """Which part of a district a question is about: what stands in the gradebooks of some classes.

    Attributes:
        classes: By the source's ids.
        sis_classes: By the SIS's; other classes may share a gradebook with these.
    """

    classes: Sequence[str]
    sis_classes: Sequence[str]


def known_line_items(
    connection: Connection, district: str, *, within: Gradebooks | None = None
) -> pd.DataFrame:
    """Every line item ever intended: `records.LINE_ITEM_PLAN` without action and adopts.

    Then sis_line_item_id (the id under which the SIS holds it; empty: under ours, or not known), state,
    run_id, and accepted_category_id: the category the SIS last accepted from us; empty if it holds none of
    ours.

    Args:
        connection: The ledger.
        district: The district's name.
        within: Only these gradebooks; all of the district if left out.
    """
    return _known(connection, district, LINE_ITEMS, within)


def known_results(connection: Connection, district: str, *, within: Gradebooks | None = None) -> pd.DataFrame:
    """As `known_line_items`: `records.RESULT_PLAN` without action, sis_result_id, state and run_id."""
    return _known(connection, district, RESULTS, within)


def line_items_in_sis(
    connection: Connection, district: str, classes: Collection[str], assessments: Collection[str]
) -> pd.DataFrame:
    """The line items that the SIS accepted from us, with the values it accepted last.

    Args:
        connection: The ledger.
        district: The district's name.
        classes: Only of these classes, by the source's ids; empty for all.
        assessments: Only of these assessments, by the source's ids; empty for all.

    Returns:
        `records.LINE_ITEM_PLAN` without action and adopts, sis_line_item_id, state and run_id.
    """
    return _in_sis(connection, district, LINE_ITEMS, classes, assessments)


def results_in_sis(
    connection: Connection, district: str, classes: Collection[str], assessments: Collection[str]
) -> pd.DataFrame:
    """As `line_items_in_sis`: `records.RESULT_PLAN` without action, sis_result_id, state and run_id."""
    return _in_sis(connection, district, RESULTS, classes, assessments)


def no_line_items() -> pd.DataFrame:
    """What a ledger knows that does not exist yet: `known_line_items` without a row."""
    return _known_shape(LINE_ITEMS).empty()


def no_results() -> pd.DataFrame:
    """The same of `known_results`."""
    return _known_shape(RESULTS).empty()


def intend_line_items(connection: Connection, district: str, run_id: int, plan: pd.DataFrame) -> None:
    """Note, before the write, what a run is about to write: `records.LINE_ITEM_PLAN` and sis_line_item_id.

    Every row given becomes `intended`, whatever it was; what the SIS last accepted is kept beside it.
    """
    _intend(connection, district, run_id, plan, LINE_ITEMS)


def intend_results(connection: Connection, district: str, run_id: int, plan: pd.DataFrame) -> None:
    """Note, before the write, what a run is about to write: `records.RESULT_PLAN` and sis_result_id.

    A teacher's own score in an assignment that was taken over may stand in columns of the content whose names
    end in `_theirs` (score and status empty: none): the trail then says that ours took its place.
    """
    _intend(connection, district, run_id, plan, RESULTS)


def answer_line_items(connection: Connection, district: str, run_id: int, answers: pd.DataFrame) -> None:
    """Note what the SIS answered; an accepted value that is new to the SIS enters the trail with it.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that intended these line items.
        answers: Columns line_item_id, state (accepted, refused, or intended: the answer was lost), status
            (HTTP's, null: none), words (the SIS's own, kept up to 500 characters), answered_at (UTC), sis_id
            (the id under which the SIS holds it now; empty: nothing new is known).

    Raises:
        ValueError: a line item that this run did not intend.
    """
    _answer(connection, district, run_id, answers, LINE_ITEMS)


def answer_results(connection: Connection, district: str, run_id: int, answers: pd.DataFrame) -> None:
    """As `answer_line_items`, of results: the columns are line_item_id, sis_student_id and so on.

    Raises:
        ValueError: a result that this run did not intend.
    """
    _answer(connection, district, run_id, answers, RESULTS)


def settle_line_items(connection: Connection, district: str, run_id: int, read_back: pd.DataFrame) -> None:
    """Note what reading back showed, and in the trail what nobody knew before.

    That is a confirmed value whose answer was lost, and an accepted one that is not there: from it to null.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that read back; the line items may be of an earlier one.
        read_back: Columns line_item_id, state (confirmed or not_stored).

    Raises:
        ValueError: a line item is there twice.
    """
    _settle(connection, district, run_id, read_back, LINE_ITEMS)


def settle_results(connection: Connection, district: str, run_id: int, read_back: pd.DataFrame) -> None:
    """As `settle_line_items`, of results: the columns are line_item_id, sis_student_id, state.

    Raises:
        ValueError: a result is there twice.
    """
    _settle(connection, district, run_id, read_back, RESULTS)


def lose_line_items(connection: Connection, district: str, run_id: int, line_items: pd.DataFrame) -> None:
    """Note that the SIS holds some line items no more, nor their results, and what it held in the trail.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that noticed it.
        line_items: Column line_item_id.
    """
    shape = Frame("incoming", {"line_item_id": TEXT}, ("line_item_id",))
    of_run: dict[str, sql.Composable] = {"district": sql.Literal(district), "run_id": sql.Literal(run_id)}
    kinds = (LINE_ITEMS, RESULTS)
    with transaction(connection) as cursor:
        copy_in(cursor, line_items, shape)
        changes = [fill(GONE, kind, **of_run, **_who(kind)) for kind in kinds]
        trail.append(cursor, district, sql.SQL(" UNION ALL ").join(changes))
        for kind in kinds:
            cursor.execute(fill(LOSE, kind, **of_run))


def note_category(
    connection: Connection, district: str, run_id: int, *, category_id: str, title: str, at: datetime
) -> None:
    """Note in the trail that the SIS took a category of the whole district from us.

    Args:
        connection: The ledger.
        district: The district's name.
        run_id: The run that created it.
        category_id: Its id.
        title: Its name.
        at: When the SIS answered, with a time zone.
    """
    change = sql.SQL("""
        SELECT {at}::timestamptz AS at, {run_id}::bigint AS run_id, 'category' AS kind,
               {category_id} AS line_item_id, '' AS sis_student_id, '' AS sis_class_id,
               '' AS assessment_id, '' AS class_id, '' AS student_id, NULL::jsonb AS from_value,
               jsonb_build_object('title', {title}) AS to_value
    """).format(
        at=sql.Literal(at),
        run_id=sql.Literal(run_id),
        category_id=sql.Literal(category_id),
        title=sql.Literal(title),
    )
    with transaction(connection) as cursor:
        trail.append(cursor, district, change)


# --- The same for both kinds ---


def _in_sis(
    connection: Connection, district: str, kind: Kind, classes: Collection[str], assessments: Collection[str]
) -> pd.DataFrame:
    shape = kind.shape(kind.table, kind.columns, **{kind.sis_id: TEXT, "state": TEXT, "run_id": INTEGER})
    query = fill(
        IN_SIS,
        kind,
        place=names((*kind.key, *kind.place)),
        values=columns_of(sql.SQL("in_sis"), kind),
        district=sql.Literal(district),
        classes=sql.Literal(list(classes)),
        assessments=sql.Literal(list(assessments)),
    )
    with transaction(connection) as cursor:
        return copy_out(cursor, query, shape)


def columns_of(value: sql.SQL, kind: Kind) -> sql.Composed:
    """The content of a value that is kept as JSON, as columns; text that it does not hold is empty."""
    return sql.SQL(", ").join(
        sql.SQL(
            "coalesce({value} ->> {name}, '') AS {column}"
            if kind.plan.columns[column] == TEXT
            else "({value} ->> {name})::double precision AS {column}"
        ).format(value=value, name=sql.Literal(column), column=sql.Identifier(column))
        for column in kind.content
    )


def _known(connection: Connection, district: str, kind: Kind, within: Gradebooks | None) -> pd.DataFrame:
    shape = _known_shape(kind)
    accepted = sql.Composed(
        sql.SQL(", coalesce(in_sis ->> {}, '') AS {}").format(
            sql.Literal(column), sql.Identifier(f"accepted_{column}")
        )
        for column in kind.accepted
    )
    among = sql.SQL("true") if within is None else _among(district, within)
    query = fill(
        KNOWN,
        kind,
        columns=names(shape.columns),
        accepted=accepted,
        district=sql.Literal(district),
        among=among,
    )
    with transaction(connection) as cursor:
        return copy_out(cursor, query, shape)


def _among(district: str, within: Gradebooks) -> sql.Composed:
    return AMONG.format(
        district=sql.Literal(district),
        classes=sql.SQL("{}::text[]").format(sql.Literal(list(within.classes))),
        gradebooks=sql.SQL("{}::text[]").format(sql.Literal(list(within.sis_classes))),
    )


def _known_shape(kind: Kind) -> Frame:
    accepted = {f"accepted_{column}": TEXT for column in kind.accepted}
    more = {kind.sis_id: TEXT, "state": TEXT, "run_id": INTEGER}
    return kind.shape(kind.table, kind.columns, **more, **accepted)


def _intend(connection: Connection, district: str, run_id: int, plan: pd.DataFrame, kind: Kind) -> None:
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in (*kind.place, *kind.content)
    )
    held_back = sql.SQL(", ").join(
        GOES_OUT_AGAIN.format(
            column=sql.Identifier(column),
            nothing=sql.Literal(nothing),
            held_content=_qualified("held", kind.content),
            content=_qualified("excluded", kind.content),
        )
        for column, nothing in (("held_back", ""), ("held_back_run_id", None), ("held_back_value", None))
    )
    theirs = {f"{column}{THEIRS}": kind.plan.columns[column] for column in kind.content}
    theirs = theirs if theirs.keys() <= set(plan.columns) else {}
    query = fill(
        INTEND,
        kind,
        columns=names(kind.columns),
        theirs=_theirs(kind) if theirs else sql.SQL("NULL"),
        assignments=assignments,
        held_back=held_back,
    )
    shape = kind.shape("incoming", kind.columns, **{kind.sis_id: TEXT}, **theirs)
    with transaction(connection) as cursor:
        copy_in(cursor, plan, shape, analyse=False)
        cursor.execute(query, {"district": district, "run_id": run_id})
        cursor.execute(fill(NEVER_ANALYSED, kind))
        if cursor.fetchone():
            cursor.execute(fill(ANALYSE, kind))


def _theirs(kind: Kind) -> sql.Composed:
    """What stood there of a teacher's own, as it is kept; null if nothing did."""
    columns = [(column, sql.Identifier(f"{column}{THEIRS}")) for column in kind.content]
    return sql.SQL("CASE WHEN num_nonnulls({}) > 0 THEN jsonb_build_object({}) END").format(
        sql.SQL(", ").join(
            sql.SQL("nullif({}, '')").format(name) if kind.plan.columns[column] == TEXT else name
            for column, name in columns
        ),
        sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(column), name) for column, name in columns),
    )


def _qualified(table: str, columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table, column) for column in columns)


def _answer(connection: Connection, district: str, run_id: int, answers: pd.DataFrame, kind: Kind) -> None:
    told = {"state": TEXT, "status": NULLABLE_INTEGER, "words": TEXT, "answered_at": INSTANT, "sis_id": TEXT}
    shape = kind.shape("incoming", kind.key, **told)
    # The words are not ours: a NUL in them must not cost the answer.
    readable = answers.assign(words=answers["words"].astype(TEXT).str.replace("\x00", "\ufffd", regex=False))
    with transaction(connection) as cursor:
        copy_in(cursor, readable, shape, analyse=False)
        in_sis = fill(IN_SIS_AS_ANSWERED, kind)
        _append_changes(cursor, district, kind, in_sis=in_sis, at=sql.SQL("incoming.answered_at"))
        cursor.execute(fill(ANSWER, kind, found=_found(kind, district), in_sis=in_sis), {"run_id": run_id})
        if (answered := cursor.rowcount) != len(answers):  # a row that is there twice is answered once
            raise ValueError(
                f"{len(answers) - answered} of {len(answers)} answers are repeated, or about rows"
                f" of {kind.table} that run {run_id} did not intend."
            )


def _settle(connection: Connection, district: str, run_id: int, read_back: pd.DataFrame, kind: Kind) -> None:
    if repeated := int(read_back.duplicated(list(kind.key)).sum()):
        raise ValueError(f"{repeated} of {len(read_back)} rows read back of {kind.table} are repeated.")
    with transaction(connection) as cursor:
        copy_in(cursor, read_back, kind.shape("incoming", kind.key, state=TEXT))
        in_sis = fill(IN_SIS_AS_READ, kind)
        _append_changes(cursor, district, kind, in_sis=in_sis, at=sql.SQL("now()"))
        settle = fill(SETTLE, kind, found=_found(kind, district), in_sis=in_sis)
        cursor.execute(settle, {"run_id": run_id})


def _append_changes(cursor: Cursor, district: str, kind: Kind, *, in_sis: sql.Composed, at: sql.SQL) -> None:
    """Append to the trail where `in_sis` is not what the ledger says of the SIS so far."""
    changes = fill(CHANGES, kind, found=_found(kind, district), at=at, in_sis=in_sis, **_who(kind))
    trail.append(cursor, district, changes)


def _who(kind: Kind) -> dict[str, sql.Composable]:
    """What a row of the trail says of a kind, and of whom."""
    nobody = sql.SQL("''")
    return {
        "kind_name": sql.Literal(kind.name),
        "sis_student_id": sql.SQL("held.sis_student_id") if "sis_student_id" in kind.key else nobody,
        "student_id": sql.SQL("held.student_id") if "student_id" in kind.place else nobody,
    }


def _found(kind: Kind, district: str) -> sql.Composed:
    return fill(FOUND, kind, district=sql.Literal(district))


def fill(template: sql.SQL, kind: Kind, **more: sql.Composable) -> sql.Composed:
    """A statement for one kind; every name in it is a constant of this module."""
    return template.format(
        table=sql.Identifier("passback", kind.table),
        key=names(kind.key),
        same_key=sql.SQL(" AND ").join(
            sql.SQL("held.{0} = incoming.{0}").format(sql.Identifier(column)) for column in kind.key
        ),
        sis_id=sql.Identifier(kind.sis_id),
        value=sql.SQL("CASE WHEN NOT ({}) THEN jsonb_build_object({}) END").format(
            sql.SQL(kind.cleared),
            sql.SQL(", ").join(
                sql.SQL("{}, held.{}").format(sql.Literal(column), sql.Identifier(column))
                for column in kind.content
            ),
        ),
        **more,
    )
