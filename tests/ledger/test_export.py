"""The trail of a period as a file, and the signature that proves it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger.frames import ANSWERED, result_answers, result_plan
from passback.errors import ConfigurationError, ContractError, UnavailableError
from passback.ledger import answer_results, database, intend_results
from passback.ledger.export import check_export, export_trail, new_key, public_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from passback.ledger import Connection

KEY = new_key()
DAY = timedelta(days=1)
SINCE = ANSWERED.to_pydatetime() - DAY


def send(ledger: Connection, run: int, student: str, *, at: datetime | None = None) -> None:
    intend_results(ledger, "lakeview", run, result_plan(student))
    answers = result_answers(student)
    answer_results(ledger, "lakeview", run, answers.assign(answered_at=at) if at else answers)


def export(ledger: Connection, out: Path, **changed: Any) -> dict[str, Any]:
    period = {"since": SINCE, "until": SINCE + 2 * DAY, "form": "csv", "key": KEY}
    return export_trail(ledger, "lakeview", out, exported_at=datetime.now(UTC), **(period | changed))


def rows_of(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".json":
        return json.loads(out.read_bytes())["trail"]
    return list(csv.DictReader(io.StringIO(out.read_bytes().decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_export_holds_the_trail_of_its_period_and_no_more(
    ledger: Connection, run: int, tmp_path: Path, form: str
) -> None:
    for number, at in enumerate((SINCE - DAY, SINCE, SINCE + DAY, SINCE + 2 * DAY - timedelta(microseconds=1),
                                 SINCE + 2 * DAY)):  # fmt: skip
        send(ledger, run, f"student-{number}", at=at)
    out = tmp_path / f"trail.{form}"
    signed = export(ledger, out, form=form)
    rows = rows_of(out)
    assert [row["student_id"] for row in rows] == ["student-1", "student-2", "student-3"]
    assert [int(row["seq"]) for row in rows] == [2, 3, 4]
    assert rows[0]["at"] == SINCE.isoformat().replace("+00:00", "Z")
    to = rows[0]["to"] if form == "json" else json.loads(rows[0]["to"])
    assert to["score"] == 80
    assert signed["rows"] == 3
    assert signed["first"] == {"seq": 2, "hash": rows[0]["hash"]}
    assert signed["last"] == {"seq": 4, "hash": rows[-1]["hash"]}
    assert (signed["chain"]["seq"], signed["chain"]["broken_at"]) == (5, None)
    assert signed["file"] == out.name
    unsigned = check_export(out, public=public_key(KEY))
    assert unsigned == {name: value for name, value in signed.items() if name != "signature"}
    assert {path.name for path in tmp_path.iterdir()} == {out.name, f"{out.name}.sig"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_period_without_changes_is_an_empty_file_that_proves_it(ledger: Connection, tmp_path: Path) -> None:
    signed = export(ledger, tmp_path / "trail.csv")
    assert (signed["rows"], signed["first"], signed["last"]) == (0, None, None)
    assert rows_of(tmp_path / "trail.csv") == []
    assert check_export(tmp_path / "trail.csv", public=public_key(KEY))["rows"] == 0


def test_no_spreadsheet_takes_a_cell_for_a_formula(
    ledger: Connection, open_night: Callable[..., int], tmp_path: Path
) -> None:
    run = open_night('=HYPERLINK("https://lakeview.example")', ordered_by="@amy")
    send(ledger, run, '-2+3, "amy"\r\nlee')
    export(ledger, tmp_path / "trail.csv")
    (row,) = rows_of(tmp_path / "trail.csv")
    assert row["run"] == '\'=HYPERLINK("https://lakeview.example")'
    assert (row["ordered_by"], row["student_id"]) == ("'@amy", '\'-2+3, "amy"\r\nlee')


def test_a_file_that_was_changed_in_one_byte_is_refused(ledger: Connection, run: int, tmp_path: Path) -> None:
    send(ledger, run, "amy")
    out = tmp_path / "trail.csv"
    export(ledger, out)
    genuine = out.read_bytes()
    for place in range(0, len(genuine), 7):
        out.write_bytes(genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :])
        with pytest.raises(ContractError, match="not what was signed"):
            check_export(out, public=public_key(KEY))
    out.write_bytes(genuine)
    assert check_export(out, public=public_key(KEY))["rows"] == 1


@pytest.mark.parametrize("name", ["rows", "district", "sha256", "since", "first", "chain", "exported_at"])
def test_a_signature_that_was_changed_is_refused(
    ledger: Connection, run: int, tmp_path: Path, name: str
) -> None:
    send(ledger, run, "amy")
    export(ledger, tmp_path / "trail.csv")
    signature_file = tmp_path / "trail.csv.sig"
    signature = json.loads(signature_file.read_bytes())
    signature_file.write_text(json.dumps(signature | {name: "something else"}))
    with pytest.raises(ContractError):
        check_export(tmp_path / "trail.csv", public=public_key(KEY))


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"signature": "no base 64", "sha256": "", "format": ""}']
)
def test_what_is_no_signature_is_refused(ledger: Connection, tmp_path: Path, content: str) -> None:
    export(ledger, tmp_path / "trail.csv")
    (tmp_path / "trail.csv.sig").write_text(content)
    with pytest.raises(ContractError):
        check_export(tmp_path / "trail.csv", public=public_key(KEY))


def test_another_key_than_the_trusted_one_signs_in_vain(ledger: Connection, tmp_path: Path) -> None:
    export(ledger, tmp_path / "trail.csv", key=new_key())
    with pytest.raises(ContractError, match="another key"):
        check_export(tmp_path / "trail.csv", public=public_key(KEY))


def test_an_export_of_a_broken_trail_says_so(ledger: Connection, run: int, tmp_path: Path) -> None:
    send(ledger, run, "amy")
    with database.transaction(ledger) as cursor:
        cursor.execute("ALTER TABLE passback.trail DISABLE TRIGGER ALL")
        cursor.execute("UPDATE passback.trail SET ordered_by = 'nobody'")
    assert export(ledger, tmp_path / "trail.csv")["chain"]["broken_at"] == 1


def test_a_file_that_is_there_is_not_overwritten(ledger: Connection, tmp_path: Path) -> None:
    out = tmp_path / "trail.csv"
    out.write_text("last year's")
    with pytest.raises(ConfigurationError, match="there already"):
        export(ledger, out)
    assert out.read_text() == "last year's"
    with pytest.raises(ConfigurationError, match="no such folder"):
        export(ledger, tmp_path / "elsewhere" / "trail.csv")
    with pytest.raises(ConfigurationError, match="not a key"):
        export(ledger, tmp_path / "other.csv", key="hush")


def test_an_export_that_breaks_off_leaves_nothing(
    ledger: Connection, ledger_url: str, run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(ledger, run, "amy")
    from passback.ledger import export as module  # noqa: PLC0415 - its name is taken above

    write = module._csv

    def break_off(rows: Any) -> Any:
        pieces = write(rows)
        yield next(pieces)
        with database.connect(ledger_url) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (ledger.info.backend_pid,))
        other.close()
        with ledger.cursor() as cursor:
            cursor.execute("SELECT 1")

    monkeypatch.setattr(module, "_csv", break_off)
    with pytest.raises(UnavailableError):
        export(ledger, tmp_path / "trail.csv")
    assert list(tmp_path.iterdir()) == []
