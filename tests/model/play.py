"""Plays a sequence: nights, hand edits, suppressions, reconciling, undoing, purging; compared at every step.

A sequence is plain JSON: {"steps": [{"do": …}, …]}. Its steps and what they hold: `sequences.py`.
"""

from __future__ import annotations

import csv
import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from psycopg2 import sql

from faults import held, people
from faults.model import LineItem, Result
from faults.nights import carry_out, new_order, warm_up
from faults.people import FOREIGN
from faults.play import begin
from faults.promises import check_foreign
from faults.transports import DISTRICT, TRANSPORTS, write_mapping
from faults.under_way import Play
from faults.world import ASSESSMENTS, NEW_ASSESSMENTS, first_source
from model.book import Book
from passback import ledger
from passback.night import TASKS, folder_name
from passback.oneroster import line_item_id
from passback.undo import UNDO_TASKS

if TYPE_CHECKING:
    from pathlib import Path

    from faults.servers import Servers
    from model.book import Key, Value

Sequence = dict[str, Any]

NAME: Final = "generic"
TRANSPORT: Final = replace(TRANSPORTS[NAME], sis_mapping={"recreate": True})
MOST_TRIES: Final = 4
LEAVE_THE_LEDGER: Final = ("change", "edit", "policy")  # steps after which explain is not asked
_IDS: Final = (*(key for key, *_ in ASSESSMENTS), *NEW_ASSESSMENTS)


@dataclass
class Playing:
    """A sequence under way.

    Attributes:
        night: How the fault harness has changes made, and tasks done by a process of their own.
        book: The model.
        broken: Where product and model do not agree.
        log: What happened, for a reader.
        struck: What PostgreSQL was stopped in the middle of.
        missed: What was over before it should have been.
        purged: When the ledger was purged to; explain knows less of the nights before.
    """

    servers: Servers
    night: Play
    book: Book
    broken: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    purged: datetime | None = None

    @property
    def ledger_url(self) -> str:
        return self.night.ledger_url

    # --- Steps ---

    def step(self, step: dict[str, Any]) -> None:
        """Do a step and compare what it must have come to."""
        getattr(self, f"_{step['do'].replace('-', '_')}")(step)
        self.servers.await_postgres()
        self.broken += [f"{step['do']}: {broken}" for broken in self.night.broken]
        self.night.broken.clear()
        self._compare(step["do"])

    def _change(self, step: dict[str, Any]) -> None:
        people.change(self.night, {**step, "do": step["what"]})

    def _night(self, step: dict[str, Any]) -> None:
        run, mode = self._key("night"), step["mode"]
        before = self.night.sandbox.dump()
        rows = self._rows()
        if mode == "preview":
            planned, unsent = self.book.plan(everything=False)
        if not self._run(run, list(TASKS), step, mode=mode):
            return
        if mode == "preview":
            self._check_preview(run, planned, unsent)
            if self.night.sandbox.dump() != before or self._rows() != rows:
                self.broken.append("a preview has written something")
            return
        self.book.night(run, mode)

    def _reconcile(self, step: dict[str, Any]) -> None:
        run = self._key("reconcile")
        if self._run(run, list(TASKS), step, mode="reconcile"):
            self.book.reconcile(run)
            self._check_drift(run)

    def _undo(self, step: dict[str, Any]) -> None:
        runs = [run.key for run in self.book.runs if run.key not in self._purged_runs()]
        if not runs:
            return
        undoes, run = runs[-1 - step["back"] % len(runs)], self._key("undo")
        if self._run(run, list(UNDO_TASKS), step, undoes=undoes):
            self._check_fates(run, self.book.undo(run, undoes))

    def _edit(self, step: dict[str, Any]) -> None:
        """Somebody changes or removes something of ours in the SIS."""
        key: Key = (step["assessment"], step.get("student", ""))
        record = self._records().get(key)
        what = step["what"]
        if record is None or self.book.entry(key).sis is None:
            return
        kind = "results" if key[1] else "lineItems"
        path = f"/sis/{kind}/{record['sourcedId']}"
        if what == "delete":
            self.night.sandbox.control("DELETE", path)
            self.book.delete_by_hand(key)
        elif what == "score":
            self.night.sandbox.control("PUT", path, {"score": step["points"]})
            self.book.set_by_hand(key, score=float(step["points"]))
        elif what == "title":
            self.night.sandbox.control("PUT", path, {"title": step["title"]})
            self.book.set_by_hand(key, title=step["title"])
        elif what == "points":
            self.night.sandbox.control("PUT", path, {"resultValueMax": step["points"]})
            self.book.set_by_hand(key, points_possible=float(step["points"]))
        else:
            category = {**record["category"], "sourcedId": TRANSPORT.categories[step["category"]]}
            self.night.sandbox.control("PUT", path, {"category": category})
            self.book.set_by_hand(key, category=step["category"])

    def _suppress(self, step: dict[str, Any]) -> None:
        out = {"kind": step["kind"], "id": step["id"]}
        (said,) = self._command("suppress", step, out)
        stood = (step["kind"], step["id"]) in self.book.suppressed
        if said == stood and not (step.get("strike") and not said):
            self.broken.append(f"suppress says {said}")
        self.book.suppressed.add((step["kind"], step["id"]))

    def _unsuppress(self, step: dict[str, Any]) -> None:
        if not self.book.suppressed:
            return
        out = sorted(self.book.suppressed)[step["place"] % len(self.book.suppressed)]
        (said,) = self._command("unsuppress", step, dict(zip(("kind", "id"), out, strict=True)))
        if not said and not step.get("strike"):
            self.broken.append("what was suppressed could not be lifted")
        self.book.suppressed.remove(out)

    def _policy(self, step: dict[str, Any]) -> None:
        self.book.scores, self.book.assignments = step["scores"], step["assignments"]
        self._write_mapping()

    def _purge(self, step: dict[str, Any]) -> None:
        self.purged = datetime.now(UTC) + timedelta(days=1)
        due_before = step.get("due_before", "2020-08-17")
        self._command("purge", step, {"before": self.purged.isoformat(), "due_before": due_before})
        self.book.purge(due_before)

    def _explain(self, step: dict[str, Any]) -> None:
        place = step["assessment"], step["student"]
        (told,) = self._command(
            "explain", step, {"assessment": step["assessment"], "student": f"s{step['student']}"}
        )
        if place in self.book.nights:
            self._compare_told("explain", place, told)
        elif told:
            self.broken.append(f"explain tells of {place}, which never was: {told}")

    def _restart(self, _: dict[str, Any]) -> None:
        self.servers.stop_postgres()

    # --- Runs ---

    def _key(self, kind: str) -> str:
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return f"{kind}_{self.numbers[kind]}"

    def _run(self, run: str, tasks: list[str], step: dict[str, Any], **order: Any) -> bool:
        """Have a run done, gone on with where it stopped, until it has come to its end."""
        return bool(self._carried_out(run, tasks, step, **order))

    def _command(self, name: str, step: dict[str, Any], told: dict[str, Any]) -> list[Any]:
        """Have a command of a person's done, again if it was stopped; what it returned."""
        return self._carried_out(self._key(name), [name], step, told=told) or [None]

    def _carried_out(self, key: str, tasks: list[str], step: dict[str, Any], **order: Any) -> list[Any]:
        """What each task returned in the end; nothing if one of them would not end."""
        left, strike, returned = list(tasks), step.get("strike"), list[Any]()
        for _ in range(MOST_TRIES):
            self.night.attempts += 1
            given = new_order(self.night, key, left, {"strike": strike}) | order
            (notes,) = carry_out(self.night, [given])
            self.servers.await_postgres()
            done = [note for note in notes if "error" not in note]
            if strike:
                self._note_strike(step["do"], strike, notes)
            returned += [note["returned"] for note in done]
            left, strike = left[len(done) :], None
            if not left:
                return returned
        self.broken.append(f"{key} did not come to its end: {notes[-1:]}")
        return []

    def _note_strike(self, do: str, strike: dict[str, Any], notes: list[dict[str, Any]]) -> None:
        calls = {note["task"]: note["calls"] for note in notes}
        if calls.get(strike["task"], 0) >= strike["call"]:
            self.struck.append(f"{do}: {strike['task']}")
        else:
            self.missed.append(f"{do}: {strike['task']}, {calls.get(strike['task'], 0)} calls")

    def _purged_runs(self) -> set[str]:
        if self.purged is None:
            return set()
        with closing(ledger.connect(self.ledger_url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT run_key FROM passback.runs WHERE started_at <="
                " (SELECT max(last_at) FROM passback.trail_stumps)"
            )
            return {key for (key,) in cursor.fetchall()}

    def _write_mapping(self) -> None:
        drift = {"scores": self.book.scores, "assignments": self.book.assignments}
        besides = {"drift": drift, "limits": {"share": 1, "at_least": 1000}}
        write_mapping(self.servers.folder / "mappings", TRANSPORT, besides)

    # --- What must be ---

    def _records(self) -> dict[Key, dict[str, Any]]:
        """What the SIS holds of ours, as it holds it."""
        ours = {
            line_item_id("otus", assessment, sis_class): assessment
            for assessment in _IDS
            for sis_class in TRANSPORT.classes.values()
        }
        dump, found = self.night.sandbox.dump(), dict[Any, dict[str, Any]]()
        for record in dump["lineItems"]:
            if record["sourcedId"] in ours:
                found[ours[record["sourcedId"]], ""] = record
            elif not record["sourcedId"].startswith(FOREIGN):
                self.broken.append(f"a line item that is nobody's: {record['title']!r}")
        for record in dump["results"]:
            assessment = ours.get(record["lineItem"]["sourcedId"])
            if assessment is None or record.get("score") is None:
                continue
            key = assessment, held.student(record)
            if key in found:
                self.broken.append(f"{key} stands twice in the SIS")
            found[key] = record
        check_foreign(self.night, dump)
        return found

    def _compare(self, what: str) -> None:
        """The SIS, the ledger and explain against the model."""
        there: dict[Any, Value] = {
            key: held.result(record) if key[1] else held.line_item(record, TRANSPORT)
            for key, record in self._records().items()
        }
        self._differ(f"{what}: the SIS holds", there, dict(self.book.held()))
        with closing(ledger.connect(self.ledger_url)) as connection:
            self._differ(f"{what}: the ledger knows", _in_sis(connection), dict(self.book.known()))
            if (wrong := ledger.verify_trail(connection, DISTRICT)) is not None:
                self.broken.append(f"{what}: the trail is broken at {wrong}")
            asked = () if what in LEAVE_THE_LEDGER else self.book.nights
            for place in asked:
                told = ledger.explain_score(connection, DISTRICT, place[0], f"s{place[1]}", None)
                self._compare_told(what, place, told)

    def _differ(self, what: str, found: dict[Any, Value], must: dict[Any, Value]) -> None:
        for key in sorted(found.keys() | must.keys()):
            if found.get(key) != must.get(key):
                self.broken.append(f"{what} {found.get(key)} as {key}; it must be {must.get(key)}")

    def _compare_told(self, what: str, place: Key, told: list[dict[str, Any]]) -> None:
        nights = self.book.nights[place]
        found = [
            (night["run"], night["outcome"], night["reasons"][0]["code"] if night["reasons"] else "")
            for night in (told[0]["nights"] if told else [])
        ]
        right = found == nights
        if self.purged is not None:  # of before, what still holds is left, and nothing else is made up
            last = nights[-1:] if found or (nights and nights[-1][1] != "vanished") else []
            right = set(found) <= set(nights) and found[-1:] == last
        if not right:
            self.broken.append(f"{what}: explain tells of {place} {found}; it must be {nights}")

    def _rows(self) -> dict[str, int]:
        """How many rows each of the ledger's tables has, but for those of the pace that all share."""
        counts = {}
        with closing(ledger.connect(self.ledger_url)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'passback' "
                " AND tablename NOT IN ('sis_pace', 'sis_shares')"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("passback", table)))
                ((counts[table],),) = cursor.fetchall()
        return counts

    # --- Reports ---

    def _file(self, run: str, name: str) -> Path:
        return self.night.folder / "stage" / DISTRICT / folder_name(run) / "report" / name

    def _csv(self, run: str, name: str) -> list[dict[str, str]]:
        with self._file(run, name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def _check_preview(self, run: str, planned: dict[Key, Value], unsent: dict[Key, Any]) -> None:
        rows = {_key_of(row): (row["effect"], row["code"]) for row in self._csv(run, "preview.csv")}
        _, verdicts = self.book.wanted()
        for key, value in planned.items():
            entry = self.book.entry(key)
            new = entry.gone or (entry.sent is None and entry.undone is None)
            effect = rows.get(key, ("", ""))[0]
            if effect not in ({"created"} if new else {"created", "changed", "sent again"}):
                self.broken.append(f"the preview says {effect!r} of {key}, which would become {value}")
        for place, (outcome, code) in verdicts.items():
            if place in planned:
                continue
            must = {"passes": ("left", unsent.get(place, ("", ""))[1]), "held": ("waiting", code)}
            if rows.get(place) != must.get(outcome, ("refused", code)):
                self.broken.append(
                    f"the preview says {rows.get(place)} of {place}, the rules {outcome, code}"
                )
        if {key for key in rows if key[1]} != set(verdicts):
            self.broken.append("the preview does not list every score once")

    def _check_drift(self, run: str) -> None:
        rows = [row for row in self._csv(run, "drift.csv") if row["finding"] != "foreign_in_sis"]
        found = {_key_of(row): (row["finding"], row["action"]) for row in rows}
        must = {key: told for key, told in self.book.drift.items() if told[0] != "equal"}
        for key in found.keys() | must.keys():
            if found.get(key) != must.get(key):
                self.broken.append(f"{run} found {found.get(key)} of {key}; it must be {must.get(key)}")

    def _check_fates(self, run: str, fates: dict[Key, str]) -> None:
        (name,) = [file.name for file in self._file(run, "x").parent.glob("*.csv")]
        found = {_key_of(row): row["fate"] for row in self._csv(run, name)}
        for key in found.keys() | fates.keys():
            must = fates.get(key)
            # With its line item, a score that was cleared is withdrawn.
            also = {"withdrawn"} if must == "cleared" and fates.get((key[0], "")) == "withdrawn" else set()
            if found.get(key) not in {must} | also:
                self.broken.append(f"{run}: the fate of {key} is {found.get(key)}; it must be {must}")


def _key_of(row: dict[str, str]) -> Key:
    return row["assessment_id"], row["student_id"].removeprefix("s")


def _in_sis(connection: ledger.Connection) -> dict[Any, Value]:
    """What the ledger says that the SIS holds of ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT assessment_id, class_id, in_sis FROM passback.line_items WHERE in_sis IS NOT NULL"
        )
        found: dict[Any, Value] = {
            (key, ""): LineItem(
                class_id,
                value["title"],
                TRANSPORT.category_title(value["category_id"]),
                value["period_id"],
                value["assign_date"],
                value["due_date"],
                float(value["points_possible"]),
            )
            for key, class_id, value in cursor
        }
        cursor.execute(
            "SELECT assessment_id, student_id, in_sis FROM passback.results WHERE in_sis IS NOT NULL"
        )
        for key, student, value in cursor:
            found[key, student.removeprefix("s")] = Result(
                float(value["score"]),
                value["score_status"],
                value["score_date"],
                value["mark"] == "missing",
            )
    connection.commit()
    return found


def play(sequence: Sequence, servers: Servers) -> Playing:
    """Play a sequence to its end, or until product and model part."""
    folder = servers.folder / "case" / uuid4().hex
    folder.mkdir(parents=True)
    source = first_source()
    with servers.new_ledger() as ledger_url:
        night = Play(servers, TRANSPORT, servers.sandbox(NAME), ledger_url, folder, source)
        playing = Playing(servers, night, Book(source), log=night.log)
        playing._write_mapping()
        begin(night, NAME)
        if not servers.warm:
            warm_up(night)
            return play(sequence, servers)
        for number, step in enumerate(sequence["steps"]):
            playing.log.append(f"--- {number}: {json.dumps(step)}")
            playing.step(step)
            if playing.broken:
                break
        return playing
