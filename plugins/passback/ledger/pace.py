"""The pace at which the runs of many districts, each a process of its own, ask the same SIS.

Every party says twice a second that it is there, takes its share of what the SIS allows, and learns whether
the SIS asked anyone for a pause. Nobody takes what another still has: a share grows when the others have
given theirs up, or have not been seen for a few seconds. So all shares together are never more than the
SIS allows, whoever comes, goes or is killed, and no clock but the database's matters.

An Airflow pool would not do: it counts tasks, not requests; a task whose pool nobody has created is never
scheduled; `passback run` knows no pools; and none of them slows down when the SIS asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from psycopg2.extensions import make_dsn

from passback.ledger.database import connect, transaction
from passback.oneroster.limits import Share, recovered, slowed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from passback.ledger.database import Connection, Cursor

EVERY: Final = 0.5  # seconds between two beats
GONE_AFTER: Final = 3.0  # seconds without a beat after which a share is free for others
_TURNS: Final = 5.0  # seconds after which the connections that cannot be divided go to the next

# A beat that cannot be had soon is not worth waiting for. What it writes need not outlive a crash.
_SESSION: Final = """
    SET statement_timeout = '2s';
    SET lock_timeout = '2s';
    SET synchronous_commit = off;
"""
_CLASS: Final = 1_885_430_629  # of our advisory locks: who holds one listens without writing

_PACE: Final = """
    SELECT brake, extract(epoch FROM resume_at - clock_timestamp())::float8,
           floor(extract(epoch FROM clock_timestamp()) / %s)::int8
    FROM passback.sis_pace WHERE host = %s
"""
_PAUSE: Final = """
    UPDATE passback.sis_pace
    SET brake = %s, resume_at = greatest(resume_at, clock_timestamp() + %s * interval '1 second')
    WHERE host = %s
"""
_LISTENERS: Final = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s AND granted
        AND objid::int8 = hashtext(%s)::int8 & 4294967295
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SHARES: Final = """
    SELECT party::text, allowed_connections, allowed_per_second, connections, requests_per_second
    FROM passback.sis_shares
    WHERE host = %s AND seen_at > clock_timestamp() - %s * interval '1 second'
"""
_SWEEP: Final = """
    DELETE FROM passback.sis_shares
    WHERE host = %s AND seen_at <= clock_timestamp() - %s * interval '1 second'
"""
_TAKE: Final = """
    INSERT INTO passback.sis_shares VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp())
    ON CONFLICT (host, party) DO UPDATE SET
        allowed_connections = excluded.allowed_connections, allowed_per_second = excluded.allowed_per_second,
        connections = excluded.connections, requests_per_second = excluded.requests_per_second,
        seen_at = excluded.seen_at
"""

# party, what it says the SIS allows (connections, requests per second), what it has of each
_Row = tuple[str, int, float, int, float]


def connect_for_pace(url: str, host: str, *, listen: bool) -> Connection:
    """A connection of its own for `beat`, or for `listen`: then it writes nothing, and is only counted.

    Raises:
        PassbackError: as `passback.ledger.connect`.
    """
    connection = connect(make_dsn(url, tcp_user_timeout=5000))
    try:
        connection.set_session(readonly=listen)
        with transaction(connection) as cursor:
            cursor.execute(_SESSION)
            if listen:
                cursor.execute("SELECT pg_advisory_lock_shared(%s, hashtext(%s))", (_CLASS, host))
    except BaseException:
        connection.close()
        raise
    return connection


def beat(
    connection: Connection,
    host: str,
    party: UUID,
    *,
    connections: int,
    requests_per_second: float,
    under_way: int = 0,
    pause: float = 0.0,
) -> Share:
    """Say that a party is there, tell of a pause it was asked for, and take its share.

    Args:
        connection: From `connect_for_pace`.
        host: The SIS, as `scheme://host:port`.
        party: Who asks.
        connections: Requests that the SIS takes at once, as far as this party knows.
        requests_per_second: Requests it takes in a second. Where parties do not agree, the least counts.
        under_way: The party's requests that have not ended.
        pause: Seconds from now in which the SIS wants no requests; 0 if it said nothing since the last beat.

    Raises:
        PassbackError: the ledger cannot be used; the pace goes on as it was.
    """
    with transaction(connection) as cursor:
        brake, seconds_left, turn = _lock_pace(cursor, host)
        if pause > 0:
            if seconds_left <= 0:  # answers that came within a pause tell of the crowd that led to it
                brake = slowed(brake)
            cursor.execute(_PAUSE, (brake, pause, host))
            seconds_left = max(seconds_left, pause)
        cursor.execute(_SWEEP, (host, GONE_AFTER))
        rows = _others(cursor, host, party)
        share = divide(
            rows,
            connections=connections,
            requests_per_second=requests_per_second,
            place=sum(row[0] < str(party) for row in rows) + turn,
            listeners=_listeners(cursor, host),
        )
        # What is under way is not given up before it ends.
        held = (max(share.connections, under_way), share.requests_per_second)
        cursor.execute(_TAKE, (host, str(party), connections, requests_per_second, *held))
    return replace(share, brake=brake, pause=max(0.0, seconds_left))


def listen(connection: Connection, host: str, *, connections: int, requests_per_second: float) -> Share:
    """The share of one who writes nothing: the others leave it room, but do not learn what it takes.

    Args:
        connection: From `connect_for_pace`, as a listener.
        host: The SIS, as `scheme://host:port`.
        connections: Requests that the SIS takes at once.
        requests_per_second: Requests it takes in a second.

    Raises:
        PassbackError: the ledger cannot be used; the pace goes on as it was.
    """
    with transaction(connection) as cursor:
        brake, seconds_left, turn = _pace(cursor, host) or (1.0, 0.0, 0)
        rows = _others(cursor, host, None)
        share = divide(
            rows,
            connections=connections,
            requests_per_second=requests_per_second,
            place=len(rows) + turn,
            listeners=_listeners(cursor, host) - 1,
        )
    return replace(share, brake=brake, pause=max(0.0, seconds_left))


def leave(connection: Connection, host: str, party: UUID) -> None:
    """Give a party's share up at once.

    Raises:
        PassbackError: the ledger cannot be used; the share is free for others a few seconds later.
    """
    with transaction(connection) as cursor:
        cursor.execute("DELETE FROM passback.sis_shares WHERE host = %s AND party = %s", (host, str(party)))


def divide(
    others: Sequence[_Row], *, connections: int, requests_per_second: float, place: int, listeners: int
) -> Share:
    """One party's share: as much as everyone's, but never what another still has.

    Args:
        others: The other parties, what they say the SIS allows, and what they have of it.
        connections: Requests that the SIS takes at once, as this party knows it.
        requests_per_second: Requests it takes in a second, as this party knows it.
        place: Which one of the parties this is; it decides who has the connections that cannot be divided.
        listeners: Others who write nothing.
    """
    parties = len(others) + listeners + 1
    all_connections = min([connections, *(row[1] for row in others)])
    all_per_second = min([requests_per_second, *(row[2] for row in others)])
    each, left_over = divmod(all_connections, parties)
    free_connections = all_connections - sum(row[3] for row in others)
    free_per_second = all_per_second - sum(row[4] for row in others)
    return Share(
        connections=max(0, min(each + (place % parties < left_over), free_connections)),
        requests_per_second=max(0.0, min(all_per_second / parties, free_per_second)),
        parties=parties,
    )


def _lock_pace(cursor: Cursor, host: str) -> tuple[float, float, int]:
    """The same as `_pace`; one party of a host at a time gets beyond this."""
    while (pace := _pace(cursor, host, lock="FOR UPDATE")) is None:
        cursor.execute("INSERT INTO passback.sis_pace (host) VALUES (%s) ON CONFLICT DO NOTHING", (host,))
    return pace


def _pace(cursor: Cursor, host: str, *, lock: str = "") -> tuple[float, float, int] | None:
    """The host's brake now, the seconds that its pause lasts (negative: that it is over), and the turn.

    None for a host that nobody has asked before.
    """
    cursor.execute(f"{_PACE} {lock}", (_TURNS, host))
    row = cursor.fetchone()
    if row is None:
        return None
    brake, seconds_left, turn = row
    return recovered(brake, -seconds_left), seconds_left, turn


def _others(cursor: Cursor, host: str, party: UUID | None) -> list[_Row]:
    cursor.execute(_SHARES, (host, GONE_AFTER))
    return [row for row in cursor.fetchall() if row[0] != str(party)]


def _listeners(cursor: Cursor, host: str) -> int:
    cursor.execute(_LISTENERS, (_CLASS, host))
    (count,) = cursor.fetchone() or (0,)
    return int(count)
