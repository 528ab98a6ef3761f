"""What every request handler takes and gives: a call and an answer, plain data on both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from sandbox.faults import Fault
    from sandbox.store import Clock


@dataclass
class Sandbox:
    """One running sandbox.

    Attributes:
        connection: Its state.
        clock: Its clock.
        base_url: Where it listens, without a trailing slash.
        lms: The platform it is: a name in `platforms.PLATFORMS`.
        sis: The SIS it is: a name in `siss.SISS`.
        today: The seeding date asked for at the start, or empty for the local date.
        faults: The faults ordered and not yet used up; they do not survive a restart.
        snapshots: Copies of the state by name; they do not survive a restart either.
        epoch: Grows whenever the state is replaced: what was under way before concerns another world.
        late: How many requests of the fault `late-commit` are still to be done.
        nonces: OAuth 1.0 nonces that were used, and the timestamp each came with.
    """

    connection: sqlite3.Connection
    clock: Clock
    base_url: str
    lms: str
    sis: str
    today: str = ""
    faults: list[Fault] = field(default_factory=list)
    snapshots: dict[str, sqlite3.Connection] = field(default_factory=dict)
    epoch: int = 0
    late: int = 0
    nonces: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        sandbox: The sandbox that it is made to.
        method: The HTTP method.
        path: The path, decoded.
        parameters: Those of the path.
        query: Those of the query; of one that is repeated, the last.
        headers: Header fields; names in any case.
        body: The body, unread.
        raw_path: The path as it was sent, still encoded.
        raw_query: The query as it was sent, without the question mark.
        fault: The fault that strikes it.
    """

    sandbox: Sandbox
    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_path: str = ""
    raw_query: str = ""
    fault: Fault | None = None


@dataclass(frozen=True)
class Answer:
    """A response.

    Attributes:
        status: The HTTP status.
        body: JSON text, empty for none; other text with its `content-type` in the headers.
        headers: Header fields.
        written: Ids of the records written where the path does not name one, for the log of writes.
    """

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class RefusedError(Exception):
    """Carries the answer that refuses a call, out of any depth."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


Action = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """What serves a path.

    Attributes:
        method: The HTTP method.
        path: The path's template, `{name}` for a parameter.
        action: The handler.
        side: `feed`, `sis`, `token` or `control`; faults and counts go by it.
        kind: For a write into the SIS: the kind of record, as the log of writes calls it.
        alone: Whether it begins its own transactions, instead of running inside one.
    """

    method: str
    path: str
    action: Action
    side: str
    kind: str = ""
    alone: bool = False


def dumps(value: Any) -> str:
    """Compact JSON that keeps every character readable."""
    return _ENCODER.encode(value)


def answer(value: Any, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, dumps(value))


def refused(status: int, message: str, **more: Any) -> RefusedError:
    """The refusal of a call to the feed or the control interface."""
    return RefusedError(answer({"error": {"message": message, **more}}, status))


def connection_to(url: str, *, login: str = "", password: str, **extra: Any) -> dict[str, Any]:
    """An Airflow connection of type http to an address, in Airflow's JSON form.

    Args:
        url: Where the system is served; its path becomes `base_path`.
        login: The client id, if there is one.
        password: The client secret or bearer token.
        **extra: What else the connection's extra holds.
    """
    address = urlsplit(url)
    return {
        "conn_type": "http",
        "schema": address.scheme,
        "host": address.hostname,
        "port": address.port,
        **({"login": login} if login else {}),
        "password": password,
        "extra": {"base_path": address.path, **extra},
    }


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises:
        RefusedError: it is not one (400).
    """
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise refused(400, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise refused(400, "The body is not a JSON object.")
    return value
