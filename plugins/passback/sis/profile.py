"""The shape of a SIS profile: facts that a mapping file need not repeat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

CategoryScope = Literal["district", "class"]
LateAndMissing = Literal["flags", "comment", "none"]
Writes = Literal["put", "put_without_id", "post"]
Deletes = Literal["delete", "tobedeleted", "no"]
Transport = Literal["oneroster", "native"]


@dataclass(frozen=True)
class SisProfile:
    """What a SIS can hold and how it wants to be spoken to.

    Attributes:
        system: The name a mapping file gives it; also the folder of its suites under `expectations/`.
        title: The name people use.
        oneroster: The version of OneRoster it speaks, "1.1" or "1.2".
        base_path: Path of its rostering service below the connection's address, unless that has one.
        token_path: Path of its token endpoint, unless the connection says `token_url`.
        scopes: OAuth scopes asked for, space-separated; empty for none.
        connections: Requests it may have under way at once.
        requests_per_second: Requests it may be sent in a second.
        page_size: Records asked for at once.
        zero_status: The `scoreStatus` under which a 0 goes out for work that is past due and missing.
        confirmations: What its interface cannot reveal and a district confirms in its mapping file, with the
            sentence that says what is confirmed.
        credential_renewal: Who renews an expired credential, and where.
        gradebook_path: Path of its gradebook service where that is another than the rostering service's.
        token_auth: Where its token endpoint reads id and secret: the header ("basic") or the form ("body").
        category_scope: Whether a category belongs to the whole district or to a class (with some of the whole
            district beside them, of which the first of a name counts).
        imports_categories: Whether its categories are imported into the platform as assignment groups, for
            each term, before an assignment counts (Aspire, seed 003).
        late_and_missing: How it can hold late and missing beside a score: as the fields of OneRoster 1.2, as
            a comment, or not at all.
        comment_limit: The longest comment it takes, in characters.
        category_name_limit: The longest name of a category, in characters; 0: not known.
        groups_named_as_categories: Whether an assignment group is tied to a category by its very name (Aspen,
            seed 004; Synergy), so that a rule says which category a nearly equal name means. Elsewhere a
            name that is not exactly a category's is none.
        class_without_master_schedule: A regular expression of the class ids of elementary schools without a
            master schedule; empty where ids do not tell.
        writes: How what is new is written: under our ids ("put"), or under ids that the SIS allots ("post":
            many at once, OneRoster 1.2; "put_without_id": "modified grade passback").
        deletes: How a record is taken out: by DELETE, by the status `tobedeleted`, or not at all.
        creates_categories: Whether it takes categories from outside, where the district wants them.
        has_native_interface: Whether its gradebooks can be reached without OneRoster (`passback.aeries`).
        needs_master_schedule: Whether elementary schools without one are out of reach, where there are such.
        holds_excused: Whether it can be told that a student is excused.
        lists_classes_asked: Whether it tells of the classes that it is asked for alone, categories included,
            instead of the whole district.
        words: What its own words for a refusal mean, for a person: a regular expression, and what to do.
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
    confirmations: Mapping[str, str]
    credential_renewal: str
    gradebook_path: str = ""
    token_auth: Literal["basic", "body"] = "basic"  # noqa: S105 - a way, not a secret
    category_scope: CategoryScope = "district"
    imports_categories: bool = False
    late_and_missing: LateAndMissing = "none"
    comment_limit: int = 0
    category_name_limit: int = 0
    groups_named_as_categories: bool = False
    class_without_master_schedule: str = ""
    writes: Writes = "put"
    deletes: Deletes = "no"
    creates_categories: bool = False
    has_native_interface: bool = False
    needs_master_schedule: bool = True
    holds_excused: bool = True
    lists_classes_asked: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def clears_scores(self) -> bool:
        """Whether a score can be cleared: taken out, or, since OneRoster 1.2, left without a score."""
        return self.deletes != "no" or self.oneroster != "1.1"
