"""Plays a case: a small district, some nights in which things go wrong, then good ones; what must hold then.

A case is plain JSON (README.md), the same in a file of `cases/`, in a failing test's output and on the
command line.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2 import sql

from faults.model import Expected, LineItem, Result, expected
from faults.world import CLASSES, SIS_CLASSES, TODAY, Source, day, first_source, write_data
from passback import ledger
from passback.night import TASKS
from sandbox_process import SandboxProcess, start_sandbox
from stack import postgres as embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack.postgres import Postgres

Case = dict[str, Any]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
ZONE: Final = ZoneInfo("America/Los_Angeles")
EVENING: Final = datetime(TODAY.year, TODAY.month, TODAY.day, 19, tzinfo=ZONE)
ATTEMPT_WITHIN: Final = 120  # seconds
DISTRICT: Final = "lakeview"
ERRORS_OF_OURS_ALONE: Final = ("UnforeseenError", "CountsError", "LedgerOutdatedError")

_CATEGORIES: Final = {
    "Assignment": "Assignment",
    "Checklist": "Classwork",
    "Homework": "Homework",
    "Journal": "Project",
    "Lab": "Lab",
    "Observation": "Observation",
    "Paper": "Project",
    "Presentation": "Project",
    "Project": "Project",
    "Quiz": "Quiz",
    "Test": "Test",
    "Worksheet": "Classwork",
}


@dataclass(frozen=True)
class Transport:
    """A way into a SIS that cases can take.

    Attributes:
        sis: The SIS, of the sandbox and of the mapping file.
        settings: Of the sandbox's SIS.
        sis_mapping: Of the mapping file's `sis`, besides system and connection.
        rules: Of the mapping file: what makes the SIS's rules those of the model.
        extra: Of the SIS's connection, besides what the sandbox offers.
    """

    sis: str
    settings: dict[str, Any] = field(default_factory=dict)
    sis_mapping: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


_AS_SKYWARD: Final = {
    "past_due_zero": True,
    "points.total_not_whole": True,
    "title_max_length": 49,
    "due.missing": True,
    "dates.inverted": True,
    "period.closed": True,
    "period.straddles": True,
}
TRANSPORTS: Final = {
    "skyward": Transport("skyward", sis_mapping={"recreate": True}),
    "generic": Transport("generic", sis_mapping={"recreate": True}, rules=_AS_SKYWARD),
    "put-without-id": Transport(
        "generic",
        settings={"writes": "put_without_id"},
        sis_mapping={"recreate": True},
        rules=_AS_SKYWARD,
    ),
    "post": Transport(
        "generic",
        settings={"writes": "post", "drops_metadata": True},
        sis_mapping={"recreate": True},
        rules=_AS_SKYWARD,
    ),
}

# --- The servers ---


@dataclass
class Servers:
    """What all cases share: PostgreSQL, a sandbox a transport, the process that does the nights."""

    folder: Path
    stack: ExitStack
    postgres: Postgres
    nights: subprocess.Popen[bytes]
    sandboxes: dict[str, SandboxProcess] = field(default_factory=dict)
    warm: bool = False
    template: str = ""

    def sandbox(self, name: str) -> SandboxProcess:
        """The sandbox of a transport, started when it is asked for first."""
        if name not in self.sandboxes:
            transport = TRANSPORTS[name]
            self.sandboxes[name] = self.stack.enter_context(
                start_sandbox(
                    self.folder / "sandbox" / name,
                    data=write_data(self.folder / "data"),
                    sis=transport.sis,
                    today=TODAY.isoformat(),
                )
            )
        return self.sandboxes[name]

    def start_postgres_again(self) -> None:
        """Start the server anew where it was, if it is down."""
        if self.postgres.process.poll() is None:
            return
        process = subprocess.Popen(
            self.postgres.process.args,
            cwd="/",
            env=embedded.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **embedded._user(),
        )
        self.postgres = replace(self.postgres, process=process)

    def stop_postgres(self) -> None:
        """Stop the server that runs now."""
        self.postgres.stop()

    def await_postgres(self) -> None:
        """Wait until it takes connections again."""
        give_up = time.monotonic() + 30
        while True:
            self.start_postgres_again()
            try:
                psycopg2.connect(self.postgres.url_for("postgres"), connect_timeout=5).close()
            except psycopg2.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)  # between two tries
            else:
                return

    def order(self, attempts: list[dict[str, Any]]) -> list[int]:
        """Have attempts done at once; how each process ended. One that does not end in time is killed."""
        assert self.nights.stdin is not None
        assert self.nights.stdout is not None
        self.nights.stdin.write(json.dumps(attempts).encode() + b"\n")
        give_up = time.monotonic() + ATTEMPT_WITHIN
        pids: list[int] = []
        said = b""
        while True:
            self.start_postgres_again()
            if select.select([self.nights.stdout], [], [], 0.02)[0]:
                heard = self.nights.stdout.read(65536)
                if not heard:
                    message = "the process that does the nights has ended"
                    raise RuntimeError(message)
                said += heard
            *lines, said = said.split(b"\n")
            for line in lines:
                told = json.loads(line)
                pids = told.get("pids", pids)
                if "ended" in told:
                    self.warm = True
                    ended: list[int] = told["ended"]
                    return ended
            if time.monotonic() > give_up and pids:
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                pids = []


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Everything that cases are played with, for the with-block."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        postgres = embedded.start(folder / "postgres", fsync=False)
        stack.callback(embedded.remove, folder / "postgres")
        known = folder / "verdicts"
        known.mkdir(exist_ok=True)
        paths = [ROOT / "plugins", ROOT / "include", ROOT / "tests"]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PASSBACK_HOME": str(ROOT),
            "PASSBACK_MAPPINGS": str(folder / "mappings"),
        }
        log = stack.enter_context((folder / "nights.log").open("a"))
        nights = subprocess.Popen(
            [sys.executable, str(HERE / "night_process.py"), str(known)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            env=environment,
        )
        stack.callback(_end, nights)
        found = Servers(folder, stack, postgres, nights)
        stack.callback(found.stop_postgres)
        ledger.upgrade(postgres.create_database("template_of_cases"))
        found.template = "template_of_cases"
        yield found


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=ATTEMPT_WITHIN)
    assert process.stdout is not None
    process.stdout.close()


@contextmanager
def new_ledger(servers: Servers) -> Iterator[str]:
    """The URL of an empty ledger."""
    name = f"case_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
        sql.Identifier(name), sql.Identifier(servers.template)
    )
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    _execute(servers, create)
    try:
        yield servers.postgres.url_for(name)
    finally:
        servers.await_postgres()
        _execute(servers, drop)


def _execute(servers: Servers, statement: sql.Composed) -> None:
    with closing(psycopg2.connect(servers.postgres.url_for("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


# --- A case under way ---


@dataclass
class Play:
    """A case under way.

    Attributes:
        source: What the source holds now, as the model knows it.
        history: What had to follow from every state of the source that a night may have seen.
        categories: The category that a teacher gave an assessment in the SIS, as far as it still stands.
        touched: Assessments whose line item or results somebody has changed in the SIS by hand.
        broken: The promises that were not kept.
        log: What happened, for a reader of a failing case.
    """

    servers: Servers
    transport: Transport
    sandbox: SandboxProcess
    ledger_url: str
    stage: Path
    environment: dict[str, str]
    source: Source
    history: list[Expected] = field(default_factory=list)
    categories: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    foreign: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0
    orders: int = 0

    # --- Between nights ---

    def change(self, change: dict[str, Any]) -> None:
        """A change in the source."""
        key = change["assessment"]
        before = self.source.assessments.get(key)
        if not self.source.change(change):
            return
        assessment = self.source.assessments.get(key)
        class_of = assessment or before
        assert class_of is not None
        class_id = class_of.class_id
        match change["do"]:
            case "assess":
                assert assessment is not None
                self.sandbox.control(
                    "PUT",
                    "/assessments",
                    {
                        "id": key,
                        "class_id": class_id,
                        "title": assessment.title,
                        "type": assessment.kind,
                        "assigned_at": _at(assessment.assigned_day, "08:00"),
                        "due_at": _at(assessment.due_day, "23:59"),
                        "students": [f"s{student}" for student in CLASSES[class_id]],
                    },
                )
            case "score":
                score = self.source.scores[key, change["student"]]
                graded = _at(score.day, "12:00") if score.day is not None else None
                self.sandbox.control(
                    "PATCH",
                    f"/scores/{key}/{class_id}/s{change['student']}",
                    {
                        "status": score.status,
                        "points": score.points,
                        "submitted_at": graded,
                        "graded_at": graded,
                    },
                )
            case "remove-score":
                self.sandbox.control("DELETE", f"/scores/{key}/{class_id}/s{change['student']}")
            case "remove":
                self.sandbox.control("DELETE", f"/assessments/{key}/{class_id}")
            case "title" | "due" | "points":
                assert assessment is not None
                fields = {
                    "title": {"title": assessment.title},
                    "due": {"due_at": _at(assessment.due_day, "23:59")},
                    "points": {"points_possible": assessment.points_possible},
                }
                self.sandbox.control("PATCH", f"/assessments/{key}/{class_id}", fields[change["do"]])

    def edit(self, edit: dict[str, Any]) -> None:
        """A hand edit in the SIS's gradebook; nothing where it does not hold what is edited."""
        dump = self.sandbox.dump()
        ours = self._line_items(dump)
        if edit["do"] == "forget":
            for record, key in ours:
                self.sandbox.control("DELETE", f"/sis/lineItems/{record['sourcedId']}")
                self._forgotten(key)
            return
        for record, key in ours:
            if key != edit["assessment"]:
                continue
            if edit["do"] == "delete":
                self.sandbox.control("DELETE", f"/sis/lineItems/{record['sourcedId']}")
                self._forgotten(key)
            elif edit["do"] == "category":
                category = {**record["category"], "sourcedId": edit["category"]}
                self.sandbox.control("PUT", f"/sis/lineItems/{record['sourcedId']}", {"category": category})
                self.categories[key] = edit["category"]
            elif edit["do"] == "score":
                for result in dump["results"]:
                    if (
                        result["lineItem"]["sourcedId"] == record["sourcedId"]
                        and _student(result) == edit["student"]
                    ):
                        self.sandbox.control(
                            "PUT", f"/sis/results/{result['sourcedId']}", {"score": edit["points"]}
                        )
                        self.touched.add(key)

    def _forgotten(self, key: str) -> None:
        self.touched.add(key)
        self.categories.pop(key, None)

    # --- A night ---

    def night(self, night: dict[str, Any]) -> None:
        """Changes, then attempts at one run."""
        for change in night.get("changes", []):
            self.change(change)
        for edit in night.get("edits", []):
            self.edit(edit)
        # What the source held is read whole or not at all, but a run may be gone on with after it changed.
        self.history.append(expected(self.source))
        run_key, start = f"night_{len(self.history)}", 0
        tasks = list(TASKS)
        for attempt in night["attempts"]:
            if "from" in attempt:
                start = min(start, tasks.index(attempt["from"]))
            for fault in attempt.get("faults", []):
                self.sandbox.fault(**fault)
            notes = self.attempt(run_key, tasks[start:] + attempt.get("again", []), attempt)
            self.sandbox.lift_faults()
            self.servers.await_postgres()
            done = {note["task"] for note in notes if "error" not in note}
            start = next((place for place in range(start, len(tasks)) if tasks[place] not in done), 0)
            if start == 0 and "audit" in done:
                start = tasks.index("load-to-sis")  # a good run whose load is cleared all the same

    def attempt(self, run_key: str, tasks: list[str], attempt: dict[str, Any]) -> list[dict[str, Any]]:
        """One attempt, or two at once; the notes of the first."""
        self.attempts += 1
        first = self._order(run_key, tasks, attempt)
        orders = [first]
        match attempt.get("besides"):
            case "another run":
                orders.append(self._order(f"{run_key}_besides", list(TASKS), {}))
            case "the same tasks":
                orders.append(self._order(run_key, [task for task in tasks if task in tasks[-2:]], {}))
        ended = self.servers.order(orders)
        for order, exit_code in zip(orders, ended, strict=True):
            for note in _notes(order):
                self._judge(order, note)
            self.log.append(f"{order['run_key']}: ended {exit_code}, {_told(_notes(order))}")
            to_be_killed = order["strike"] is not None and order["strike"]["what"] == "kill"
            if exit_code not in ({0, -signal.SIGKILL} if to_be_killed else {0}):
                self.broken.append(f"{order['run_key']}: the process ended with {exit_code}")
        return _notes(first)

    def _judge(self, order: dict[str, Any], note: dict[str, Any]) -> None:
        if note.get("error") in ERRORS_OF_OURS_ALONE:
            self.broken.append(f"{order['run_key']}, {note['task']}: {note['error']}: {note['message']}")

    def _order(self, run_key: str, tasks: list[str], attempt: dict[str, Any]) -> dict[str, Any]:
        self.orders += 1
        return {
            "environment": self.environment,
            "district": DISTRICT,
            "run_key": run_key,
            "mode": attempt.get("mode", "changes"),
            "tasks": tasks,
            "now": EVENING.replace(minute=min(59, self.attempts)).isoformat(),
            "notes": str(self.stage.parent / f"notes_{self.orders}.jsonl"),
            "hasty": bool(attempt.get("faults")),
            "strike": attempt.get("strike"),
            "postgres": self.servers.postgres.process.pid,
        }

    # --- The end ---

    def good_night(self, mode: str) -> None:
        """A night in which nothing goes wrong, and must not."""
        notes = self.attempt(f"good_{self.attempts}", list(TASKS), {"mode": mode})
        for note in notes:
            if "error" in note:
                self.broken.append(f"a good night failed: {note['task']}: {note['error']}: {note['message']}")
        if not notes or notes[-1]["task"] != "audit":
            self.broken.append("a good night did not come to its end")
        elif "returned" in notes[-1]:
            self._check_outcomes(notes[-1]["returned"])

    def _check_outcomes(self, returned: dict[str, Any]) -> None:
        wanted = expected(self.source).outcomes
        counts = {name: returned[name] for name in ("rejected", "held", "failed", "cancelled")}
        told = {name: sum(outcome == name for outcome, _ in wanted.values()) for name in ("rejected", "held")}
        if counts != {**told, "failed": 0, "cancelled": 0}:
            self.broken.append(f"a good night counts {counts}, the rules say {told}")
        passed = sum(outcome == "passes" for outcome, _ in wanted.values())
        if returned["sent"] + returned["unchanged"] != passed or returned["extracted"] != len(wanted):
            self.broken.append(f"the counts of a good night do not add up: {returned}, {passed} pass")

    def _line_items(self, dump: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
        """The line items of ours that the SIS holds, each with its assessment; titles are unique."""
        titles = {
            (SIS_CLASSES[self.transport.sis][item.class_id], item.title): key
            for before in self.history
            for key, item in before.line_items.items()
        }
        found = []
        for record in dump["lineItems"]:
            key = titles.get((record["class"]["sourcedId"], record["title"]))
            if key is not None:
                found.append((record, key))
            elif not record["sourcedId"].startswith("foreign"):
                self.broken.append(f"the SIS holds a line item that no rule allows: {record['title']!r}")
        return found

    def check(self, *, all_dates: bool) -> None:
        """Compare the SIS with the model, and the ledger with the SIS."""
        wanted, dump = expected(self.source), self.sandbox.dump()
        line_items: dict[str, LineItem] = {}
        results: dict[tuple[str, str], Result] = {}
        places: dict[str, str] = {}
        for record, key in self._line_items(dump):
            if key in line_items:
                self.broken.append(f"the line item of {key} stands twice in the SIS")
            line_items[key], places[record["sourcedId"]] = _line_item(self.transport.sis, record), key
        for record in dump["results"]:
            place = places.get(record["lineItem"]["sourcedId"])
            if place is None:
                continue
            if (place, _student(record)) in results:
                self.broken.append(f"a result of {place} stands twice in the SIS")
            results[place, _student(record)] = _result(record)
        self._check_line_items(wanted, line_items)
        self._check_results(wanted, results, all_dates=all_dates)
        self._check_ledger(line_items, results)
        self._check_foreign(dump)

    def _check_line_items(self, wanted: Expected, held: dict[str, LineItem]) -> None:
        for key, item in wanted.line_items.items():
            must = item._replace(category=self.categories.get(key, item.category))
            if held.get(key) != must:
                self.broken.append(f"line item {key}: the SIS holds {held.get(key)}, it must hold {must}")
        for key, item in held.items():
            if key in wanted.line_items:
                continue
            once = [
                before.line_items[key]._replace(category=item.category)
                for before in self.history
                if key in before.line_items
            ]
            if item not in once:
                self.broken.append(f"line item {key}: {item} was never allowed")

    def _check_results(
        self, wanted: Expected, held: dict[tuple[str, str], Result], *, all_dates: bool
    ) -> None:
        for place, must in wanted.results.items():
            found = held.get(place)
            if found is not None and not all_dates and found._replace(date=must.date) == must:
                # Seed 001: what has another date alone is not sent again.
                once = [before.results[place] for before in self.history if place in before.results]
                if found in once:
                    continue
            if found != must:
                self.broken.append(f"result {place}: the SIS holds {found}, it must hold {must}")
        for place, found in held.items():
            if place in wanted.results or place[0] in self.touched:
                continue
            if found not in [before.results.get(place) for before in self.history]:
                self.broken.append(f"result {place}: {found} was never allowed")

    def _check_ledger(self, line_items: dict[str, LineItem], results: dict[tuple[str, str], Result]) -> None:
        with closing(psycopg2.connect(self.ledger_url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT assessment_id, in_sis FROM passback.line_items WHERE in_sis IS NOT NULL")
            known_items = dict(cursor.fetchall())
            cursor.execute(
                "SELECT assessment_id, student_id, in_sis FROM passback.results WHERE in_sis IS NOT NULL"
            )
            known_results = {(key, student.removeprefix("s")): value for key, student, value in cursor}
            cursor.execute(
                "SELECT assessment_id, student_id, outcome, codes FROM passback.score_outcomes"
                " WHERE district = %s",
                (DISTRICT,),
            )
            outcomes = [
                ((key, student.removeprefix("s")), (outcome, codes.split(" ")[0]))
                for key, student, outcome, codes in cursor
            ]
            cursor.execute("SELECT count(*) FROM passback.runs WHERE state = 'running'")
            ((running,),) = cursor.fetchall()
        with closing(ledger.connect(self.ledger_url)) as connection:
            if (wrong := ledger.verify_trail(connection, DISTRICT)) is not None:
                self.broken.append(f"the trail is broken at {wrong}")
        if running:
            self.broken.append(f"{running} runs still count as running")
        self._check_score_outcomes(outcomes)
        self._compare("line item", known_items, line_items, self._same_line_item)
        self._compare("result", known_results, results, _same_result)

    def _check_score_outcomes(self, outcomes: list[tuple[tuple[str, str], tuple[str, str]]]) -> None:
        found = dict(outcomes)
        if len(found) != len(outcomes):
            self.broken.append("a score has two outcomes in the ledger")
        for place, (outcome, code) in expected(self.source).outcomes.items():
            got = found.get(place, ("none", ""))
            right = got == ("passed", "") if outcome == "passes" else got == (outcome, code)
            if not right:
                self.broken.append(f"score {place}: the ledger says {got}, the rules say {(outcome, code)}")

    def _compare(self, what: str, known: dict[Any, Any], held: dict[Any, Any], same: Any) -> None:
        for place in known.keys() | held.keys():
            key = place if isinstance(place, str) else place[0]
            now = expected(self.source)
            current = place in now.line_items or place in now.results
            if key in self.touched and not current:
                continue  # nobody asks again about what is not passed any more
            if place not in known or place not in held:
                where = "SIS" if place in held else "ledger"
                self.broken.append(f"{what} {place} is in the {where} alone")
            elif not same(place, known[place], held[place]):
                self.broken.append(f"{what} {place}: the ledger has {known[place]}, the SIS {held[place]}")

    def _same_line_item(self, key: str, known: dict[str, Any], held: LineItem) -> bool:
        category = held.category if key in self.categories else known["category_id"]
        return (
            known["title"],
            category,
            known["assign_date"],
            known["due_date"],
            float(known["points_possible"]),
        ) == (held.title, held.category, held.assigned, held.due, held.points_possible)

    def _check_foreign(self, dump: dict[str, Any]) -> None:
        held = [
            record
            for kind in ("lineItems", "results")
            for record in dump[kind]
            if record["sourcedId"].startswith("foreign")
        ]
        if held != self.foreign:
            self.broken.append("something of a foreign assignment was touched")

    def put_foreign(self) -> None:
        """A teacher's own assignment, with a result, which nobody but the teacher may touch."""
        class_id = SIS_CLASSES[self.transport.sis]["AAA-2013J"]
        line_item = {
            "title": "Reading list",
            "class": {"sourcedId": class_id, "type": "class", "href": ""},
            "category": {"sourcedId": "303", "type": "category", "href": ""},
            "assignDate": f"{day(150)}T12:00:00.000Z",
            "dueDate": f"{day(160)}T12:00:00.000Z",
            "resultValueMin": 0.0,
            "resultValueMax": 10.0,
        }
        result = {
            "lineItem": {"sourcedId": "foreign-1", "type": "lineItem", "href": ""},
            "student": {"sourcedId": "90000001", "type": "user", "href": ""},
            "score": 7.0,
            "scoreStatus": "fully graded",
            "scoreDate": day(160).isoformat(),
        }
        self.sandbox.control("PUT", "/sis/lineItems/foreign-1", line_item)
        self.sandbox.control("PUT", "/sis/results/foreign-2", result)
        dump = self.sandbox.dump()
        self.foreign = dump["lineItems"] + dump["results"]


def _at(number: int, clock: str) -> str:
    hour, minute = map(int, clock.split(":"))
    moment = datetime(*day(number).timetuple()[:3], hour, minute, tzinfo=ZONE)
    return moment.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")


def _student(record: dict[str, Any]) -> str:
    return str(int(record["student"]["sourcedId"][1:]))


def _line_item(sis: str, record: dict[str, Any]) -> LineItem:
    classes = {theirs: ours for ours, theirs in SIS_CLASSES[sis].items()}
    return LineItem(
        classes[record["class"]["sourcedId"]],
        record["title"],
        record["category"]["sourcedId"],
        record["gradingPeriod"]["sourcedId"],
        record["assignDate"][:10],
        record["dueDate"][:10],
        float(record["resultValueMax"]),
    )


def _result(record: dict[str, Any]) -> Result:
    zero = record["scoreStatus"] == "not submitted"
    flag = record.get("missing")
    missing = zero if flag is None else flag == "true"
    return Result(float(record["score"]), record["scoreStatus"], record["scoreDate"][:10], missing)


def _same_result(_: Any, known: dict[str, Any], held: Result) -> bool:
    return (float(known["score"]), known["score_status"], known["score_date"]) == held[:3]


def _notes(order: dict[str, Any]) -> list[dict[str, Any]]:
    file = Path(order["notes"])
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _told(notes: list[dict[str, Any]]) -> str:
    told = [
        f"{note['task']} {note.get('error') or 'done'} ({note['seconds']} s"
        + (f", {note['calls']} calls)" if note["calls"] else ")")
        for note in notes
    ]
    return ", ".join(told)


# --- The whole ---


def play(case: Case, servers: Servers) -> Play:
    """Play a case to its end; `broken` of what comes back is empty if every promise was kept."""
    transport = TRANSPORTS[case["transport"]]
    sandbox = servers.sandbox(case["transport"])
    folder = servers.folder / "case" / uuid4().hex
    folder.mkdir(parents=True)
    sandbox.reset()
    if transport.settings:
        sandbox.control("PATCH", "/settings", transport.settings)
    offered = sandbox.info()["connections"]
    sis = offered["sis"]
    sis["extra"] = {**sis["extra"], **transport.extra}
    _write_mapping(servers.folder / "mappings", transport)
    with new_ledger(servers) as ledger_url:
        environment = {
            "AIRFLOW_CONN_CASE_SOURCE": json.dumps(offered["source"]),
            "AIRFLOW_CONN_CASE_SIS": json.dumps(sis),
            "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
            "PASSBACK_STAGE": (folder / "stage").as_uri(),
        }
        playing = Play(servers, transport, sandbox, ledger_url, folder / "stage", environment, first_source())
        playing.put_foreign()
        if not servers.warm:
            servers.order([playing._order("warm", list(TASKS), {})])
            return play(case, servers)
        for night in case["nights"]:
            playing.night(night)
        edited = bool(playing.touched)
        playing.history.append(expected(playing.source))
        playing.good_night("full" if edited else "changes")
        written = len(sandbox.writes())
        playing.good_night("changes")
        if len(sandbox.writes()) != written:
            playing.broken.append("a night after a good one, without a change, has written again")
        playing.check(all_dates=edited)
        return playing


def _write_mapping(folder: Path, transport: Transport) -> None:
    folder.mkdir(exist_ok=True)
    mapping = {
        "district": DISTRICT,
        "name": "Lakeview Unified School District",
        "timezone": str(ZONE),
        "schedule": "0 22 * * *",
        "effective_date": "2020-08-17",
        "source": {"system": "otus", "connection": "case_source"},
        "sis": {"system": transport.sis, "connection": "case_sis", **transport.sis_mapping},
        "categories": _CATEGORIES,
        "rules": transport.rules,
    }
    if transport.sis == "skyward":
        mapping["confirmed"] = ["oneroster_licence", "use_grade_unchecked"]
    (folder / f"{DISTRICT}.yaml").write_text(json.dumps(mapping))
