"""The shape of a SIS profile: facts that a mapping file need not repeat."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SisProfile:
    """What a SIS can hold and how it wants to be spoken to.

    Attributes:
        system: The name a mapping file gives it; also the folder of its suites under `expectations/`.
        title: The name people use.
        oneroster: The version of OneRoster it speaks.
        base_path: Path of its OneRoster service below the connection's address, unless that has one.
        token_path: Path of its token endpoint, unless the connection says `token_url`.
        scopes: OAuth scopes asked for, space-separated; empty for none.
        connections: Requests it may have under way at once.
        requests_per_second: Requests it may be sent in a second.
        page_size: Records asked for at once.
        zero_status: The `scoreStatus` under which a 0 goes out for work that is past due and missing.
        confirmations: What its interface cannot reveal and a district confirms in its mapping file, with the
            sentence that says what is confirmed.
        credential_renewal: Who renews an expired credential, and where.
    """

    system: str
    title: str
    oneroster: str
    base_path: str
    token_path: str
    scopes: str
    connections: int
    requests_per_second: float
    page_size: int
    zero_status: str
    confirmations: dict[str, str]
    credential_renewal: str
