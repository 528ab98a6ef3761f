"""What a SIS allows, dealt out among all who ask it: through the ledger, by everyone's beat."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passback.errors import FatalError
from passback.ledger import pace
from passback.ledger.database import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from passback.ledger import Connection
    from passback.oneroster.limits import Share

HOST = "https://sis.example.org"
ALLOWED = 60.0


@dataclass
class Party:
    """One who asks the SIS."""

    connection: Connection
    host: str = HOST
    connections: int = 8
    requests_per_second: float = ALLOWED
    id: UUID = field(default_factory=uuid4)

    def beat(self, *, pause: float = 0.0, under_way: int = 0) -> Share:
        return pace.beat(
            self.connection,
            self.host,
            self.id,
            connections=self.connections,
            requests_per_second=self.requests_per_second,
            under_way=under_way,
            pause=pause,
        )

    def leave(self) -> None:
        pace.leave(self.connection, self.host, self.id)


@pytest.fixture
def connection(ledger_url: str) -> Iterator[Connection]:
    with closing(pace.connect_for_pace(ledger_url, HOST, listen=False)) as connection:
        yield connection


@pytest.fixture
def joins(connection: Connection) -> Callable[..., Party]:
    return lambda **facts: Party(connection, **facts)


@contextmanager
def listener(ledger_url: str) -> Iterator[Callable[[], Share]]:
    with closing(pace.connect_for_pace(ledger_url, HOST, listen=True)) as listening:
        yield lambda: pace.listen(listening, HOST, connections=8, requests_per_second=ALLOWED)


def go_by(connection: Connection, seconds: float, party: UUID | None = None) -> None:
    """Let everything that was noted be so much longer ago, or only when a party was last seen."""
    with transaction(connection) as cursor:
        if party is None:
            cursor.execute(
                "UPDATE passback.sis_pace SET resume_at = resume_at - %s * interval '1 s'", (seconds,)
            )
        cursor.execute(
            "UPDATE passback.sis_shares SET seen_at = seen_at - %s * interval '1 s'"
            " WHERE party = coalesce(%s::uuid, party)",
            (seconds, party and str(party)),
        )


# --- Shares ---


def test_who_is_alone_has_all(joins: Callable[..., Party]) -> None:
    share = joins().beat()
    assert (share.connections, share.requests_per_second, share.brake, share.pause) == (8, 60, 1, 0)


def test_who_comes_later_waits_until_the_first_has_made_room(joins: Callable[..., Party]) -> None:
    first, second = joins(), joins()
    first.beat()
    assert (second.beat().connections, second.beat().requests_per_second) == (0, 0)
    assert (first.beat().connections, first.beat().requests_per_second) == (4, 30)
    assert (second.beat().connections, second.beat().requests_per_second) == (4, 30)


def test_requests_under_way_are_nobody_elses_connections(joins: Callable[..., Party]) -> None:
    first, second = joins(), joins()
    first.beat(under_way=8)
    second.beat()
    assert first.beat(under_way=7).connections == 4  # for those to come
    assert second.beat().connections == 1
    first.beat(under_way=2)
    assert second.beat().connections == 4


def test_who_leaves_gives_all_back_at_once(joins: Callable[..., Party]) -> None:
    first, second = joins(), joins()
    first.beat()
    second.beat()
    first.leave()
    assert second.beat().requests_per_second == ALLOWED


def test_who_is_not_heard_of_any_more_has_no_share(
    joins: Callable[..., Party], connection: Connection
) -> None:
    first, second = joins(), joins()
    first.beat()
    go_by(connection, pace.GONE_AFTER - 1)
    assert second.beat().requests_per_second == 0
    go_by(connection, 1)
    assert second.beat().requests_per_second == ALLOWED
    assert first.beat().requests_per_second == 0  # it was only slow, and comes back as one who is new


def test_where_districts_do_not_agree_what_a_sis_takes_the_least_counts(
    joins: Callable[..., Party],
) -> None:
    bold, careful = joins(), joins(connections=2, requests_per_second=10)
    for party in (bold, careful, bold, careful):
        party.beat()
    assert {party.beat().requests_per_second for party in (bold, careful)} == {5}
    assert {party.beat().connections for party in (bold, careful)} == {1}


def test_another_host_is_another_matter(joins: Callable[..., Party]) -> None:
    joins().beat(pause=30)
    share = joins(host="https://other.example.org").beat()
    assert (share.requests_per_second, share.pause, share.brake) == (ALLOWED, 0, 1)


@given(turn=st.integers(min_value=0, max_value=2**40), parties=st.integers(min_value=1, max_value=12))
def test_connections_that_cannot_be_divided_go_round(turn: int, parties: int) -> None:
    def of(place: int, turn: int) -> int:
        others = [(str(n), 5, 10.0, 0, 0.0) for n in range(parties - 1)]
        share = pace.divide(others, connections=5, requests_per_second=10, place=place + turn, listeners=0)
        return share.connections

    assert sum(of(place, turn) for place in range(parties)) == 5
    assert sum(of(0, turn + later) for later in range(parties)) == 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # every example has its own host
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["beat", "leave", "kill"])), max_size=25))
def test_all_shares_together_are_never_more_than_the_sis_allows(
    connection: Connection, steps: list[tuple[int, str]]
) -> None:
    host = f"https://{uuid4().hex}.example.org"
    parties = [Party(connection, host) for _ in range(5)]
    held: dict[int, Share] = {}
    for number, step in [*steps, *((number, "beat") for number in (0, 1, 0, 1))]:
        if step == "beat":
            held[number] = parties[number].beat()
        else:
            held.pop(number, None)
            if step == "leave":
                parties[number].leave()
            else:
                go_by(connection, pace.GONE_AFTER, parties[number].id)
        assert sum(share.requests_per_second for share in held.values()) <= ALLOWED * (1 + 1e-9)
        assert sum(share.connections for share in held.values()) <= 8
    for number in [*held, *held]:
        held[number] = parties[number].beat()
    for share in held.values():
        assert share.requests_per_second == pytest.approx(ALLOWED / len(held))


# --- Pauses ---


def test_what_one_is_told_all_know_at_their_next_beat(joins: Callable[..., Party]) -> None:
    first, second = joins(), joins()
    first.beat(pause=30)
    share = second.beat()
    assert 29 < share.pause <= 30
    assert share.brake == 0.5


def test_one_crowd_is_one_complaint_and_the_longest_pause_counts(joins: Callable[..., Party]) -> None:
    first, second, third = joins(), joins(), joins()
    first.beat(pause=10)
    second.beat(pause=30)
    third.beat(pause=5)
    share = first.beat()
    assert 29 < share.pause <= 30
    assert share.brake == 0.5


def test_the_pace_recovers_by_a_quarter_a_second_after_the_pause(
    joins: Callable[..., Party], connection: Connection
) -> None:
    party = joins()
    party.beat(pause=10)
    go_by(connection, 10.5)
    brakes = []
    for _ in range(5):
        brakes.append(party.beat().brake)
        go_by(connection, 1)
    assert brakes == [0.5, 0.625, 0.78125, 0.9765625, 1.0]


def test_a_complaint_after_the_pause_halves_what_had_been_recovered(
    joins: Callable[..., Party], connection: Connection
) -> None:
    party = joins()
    party.beat(pause=10)
    go_by(connection, 11.5)
    assert party.beat(pause=10).brake == 0.3125


# --- Listening ---


def test_a_listener_is_left_room_and_writes_nothing(ledger_url: str, joins: Callable[..., Party]) -> None:
    loading = joins()
    loading.beat(pause=30)
    with listener(ledger_url) as listen:
        share = listen()
        assert (share.requests_per_second, share.parties) == (0, 2)
        assert 29 < share.pause <= 30
        assert loading.beat().requests_per_second == 30
        assert listen().requests_per_second == 30
    assert loading.beat().requests_per_second == ALLOWED


def test_a_listener_who_is_alone_has_all(ledger_url: str) -> None:
    with listener(ledger_url) as listen:
        assert (listen().requests_per_second, listen().connections) == (ALLOWED, 8)


def test_postgresql_itself_lets_a_listener_write_nothing(ledger_url: str) -> None:
    with (
        closing(pace.connect_for_pace(ledger_url, HOST, listen=True)) as listening,
        pytest.raises(FatalError),
    ):
        Party(listening).beat()


# --- Tables ---


def test_the_pace_is_not_worth_a_log(connection: Connection) -> None:
    with transaction(connection) as cursor:
        cursor.execute(
            "SELECT relname, relpersistence FROM pg_class WHERE oid IN"
            " ('passback.sis_pace'::regclass, 'passback.sis_shares'::regclass) ORDER BY relname"
        )
        assert cursor.fetchall() == [("sis_pace", "u"), ("sis_shares", "u")]


def test_a_pace_that_postgresql_has_forgotten_begins_anew(
    joins: Callable[..., Party], connection: Connection
) -> None:
    party = joins()
    party.beat(pause=30)
    with transaction(connection) as cursor:
        cursor.execute("TRUNCATE passback.sis_pace, passback.sis_shares")
    share = party.beat()
    assert (share.requests_per_second, share.brake, share.pause) == (ALLOWED, 1, 0)
