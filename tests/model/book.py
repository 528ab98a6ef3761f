"""What ledger and SIS must hold after any sequence of runs and of people's doings, in plain Python.

It shares no code with the product: it is the other opinion. A line item or a result is a value, a run maps
values to values. What a score's value should be comes from `faults.model`, by the rules alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from faults.model import PASSES, LineItem, Result, expected

if TYPE_CHECKING:
    from faults.world import Source

Value = LineItem | Result
Key = tuple[str, str]  # assessment and student; an empty student: its line item

OWN: Final = ("title", "category")  # a teacher's own: they stay, unless the district has them overwritten
COMPARED: Final = ("title", "category", "assigned", "due", "points_possible")
SUPPRESSED: Final = ("rejected", "suppressed.by_person")
KEPT_THEIRS: Final = ("cancelled", "sis.kept_theirs")
UNDONE: Final = ("cancelled", "run.undone")
COMPARED_ONLY: Final = ("cancelled", "run.reconcile")
OVER: Final = ("rejected", "vanished")  # outcomes of scores that are not to be sent by the next night
LINK_BROKEN: Final = ("failed", "sis.link_broken")


@dataclass
class Entry:
    """One line item or result.

    Attributes:
        sis: What the SIS holds; None for nothing.
        sent: What we last meant it to hold; None before we ever did, or when it was cleared.
        known: What the SIS is known to hold of ours.
        gone: Somebody took it out of the SIS, and we know it; or we did.
        undone: A value that was taken back: it is not sent again.
        kept: What a person set in the SIS and keeps: of a line item its fields, of a result all of it.
    """

    sis: Any = None
    sent: Any = None
    known: Any = None
    gone: bool = False
    undone: Any = None
    kept: dict[str, Any] | None = None


class Change(NamedTuple):
    """What a run did to an entry, as the trail has it."""

    run: str
    key: Key
    before: Any
    after: Any


@dataclass
class Run:
    """A run that is on record."""

    key: str
    mode: str
    undoes: str = ""


@dataclass
class Book:
    """The model: the source, the entries, what people decided, and what is on record.

    Attributes:
        nights: Of every score that was ever judged, what became of it in each run since: run, outcome, code.
        drift: What the last reconcile run found of each entry: finding and action.
    """

    source: Source
    entries: dict[Key, Entry] = field(default_factory=dict)
    suppressed: set[tuple[str, str]] = field(default_factory=set)
    scores: str = "report"
    assignments: str = "report"
    runs: list[Run] = field(default_factory=list)
    trail: list[Change] = field(default_factory=list)
    nights: dict[Key, list[tuple[str, str, str]]] = field(default_factory=dict)
    drift: dict[Key, tuple[str, str]] = field(default_factory=dict)

    def entry(self, key: Key) -> Entry:
        return self.entries.setdefault(key, Entry())

    def keys(self, *, results: bool) -> list[Key]:
        return [key for key in self.entries if bool(key[1]) == results]

    def held(self) -> dict[Key, Value]:
        """What the SIS holds of ours."""
        return {key: entry.sis for key, entry in self.entries.items() if entry.sis is not None}

    def known(self) -> dict[Key, Value]:
        """What the ledger must say that the SIS holds."""
        return {key: entry.known for key, entry in self.entries.items() if entry.known is not None}

    # --- What should be ---

    def wanted(self) -> tuple[dict[Key, Value], dict[Key, tuple[str, str]]]:
        """What passes, and every score's verdict: passes, or outcome and leading code."""
        by_rules, wanted, verdicts = expected(self.source), {}, {}
        for key, item in by_rules.line_items.items():
            if not self.is_out(key):
                wanted[key, ""] = item
        for place, verdict in by_rules.outcomes.items():
            verdicts[place] = SUPPRESSED if self.is_out(*place) else verdict
            if verdicts[place] == PASSES:
                wanted[place] = by_rules.results[place]
        return wanted, verdicts

    def is_out(self, assessment: str, student: str = "") -> bool:
        """Whether a person has taken it out of passback."""
        of = self.source.assessments[assessment]
        out = {("assessment", assessment), ("class", of.class_id), ("student", f"s{student}")}
        return bool(out & self.suppressed)

    # --- A night ---

    def plan(self, *, everything: bool) -> tuple[dict[Key, Value], dict[Key, tuple[str, str]]]:
        """What a run writes, and which scores that pass it leaves unsent, and why."""
        wanted, _ = self.wanted()
        planned, unsent = {}, {}
        withdrawn = set()
        for key, value in wanted.items():
            entry = self.entry(key)
            if not key[1]:
                if entry.undone == value:
                    if entry.gone:
                        withdrawn.add(key[0])
                    continue
            elif entry.kept is not None:
                unsent[key] = KEPT_THEIRS
                continue
            elif key[0] in withdrawn or _same(entry.undone, value):
                unsent[key] = UNDONE
                continue
            if everything or entry.gone or entry.sent is None or not _same(entry.sent, value):
                planned[key] = value
        return planned, unsent

    def night(self, run: str, mode: str) -> dict[Key, Value]:
        """A run that comes to its good end; what it wrote."""
        planned, unsent = self.plan(everything=mode == "full")
        self.runs.append(Run(run, mode))
        for key, value in planned.items():
            self._write(run, key, value)
        self._judge(run, planned, unsent)
        return planned

    def _write(self, run: str, key: Key, value: Value) -> None:
        entry = self.entry(key)
        goes_out = value
        if isinstance(value, LineItem) and entry.sis is not None and entry.known is not None:
            goes_out = self._with_theirs(entry, value)
        if value != entry.sent:  # what was put back and is sent again leaves what was taken back so
            entry.undone = None
        self._set(run, key, value, goes_out)

    def _with_theirs(self, entry: Entry, value: LineItem) -> LineItem:
        """A line item as it goes out: what a teacher set in the SIS stays so."""
        if self.assignments == "overwrite":
            entry.kept = None
            return value
        kept = set(entry.kept or {}) - {"title"}
        if entry.sis.title not in (entry.sent.title, entry.known.title):
            kept.add("title")
        entry.kept = {name: getattr(entry.sis, name) for name in sorted(kept)} or None
        goes_out = value
        if entry.sis.category not in (entry.sent.category, entry.known.category):
            goes_out = goes_out._replace(category=entry.sis.category)
        return goes_out._replace(**(entry.kept or {}))

    def _set(self, run: str, key: Key, ours: Any, sis: Any) -> None:
        entry = self.entry(key)
        if entry.known != ours:
            self.trail.append(Change(run, key, entry.known, ours))
        entry.sent = entry.known = ours
        entry.sis, entry.gone = sis, False

    def _judge(self, run: str, sent: Any, unsent: dict[Key, tuple[str, str]]) -> None:
        _, verdicts = self.wanted()
        for place, verdict in verdicts.items():
            outcome = verdict
            if verdict == PASSES:
                outcome = unsent.get(place, ("sent" if place in sent else "unchanged", ""))
            self.nights.setdefault(place, []).append((run, *outcome))
        for place, told in self.nights.items():
            if place not in verdicts:
                told.append((run, "vanished", ""))

    # --- Reconcile ---

    def reconcile(self, run: str) -> None:
        """Compare what the SIS is known to hold with what it holds, and do as the district says."""
        wanted, _ = self.wanted()
        self.runs.append(Run(run, "reconcile"))
        known = {key: entry for key, entry in self.entries.items() if entry.known is not None}
        self.drift = {key: self._item_drift(key, entry, wanted) for key, entry in known.items() if not key[1]}
        self.drift |= {
            key: self._result_drift(key, entry, wanted)
            for key, entry in known.items()
            if key[1] and self.drift[key[0], ""][0] != "missing_in_sis"
        }
        again = {key for key, (_, action) in self.drift.items() if action == "sent again"}
        for key, found in self.drift.items():
            self._settle(run, key, known[key], *found)
        planned, unsent = self.plan(everything=False)  # what the next night would do
        for place in (place for place in wanted if place[1] and place not in unsent):
            if self.entry((place[0], "")).gone:
                unsent[place] = LINK_BROKEN
            elif place in planned:
                unsent[place] = COMPARED_ONLY
        self._judge(run, again, unsent)

    def _settle(self, run: str, key: Key, entry: Entry, finding: str, action: str) -> None:
        """Do with what was found as the district says."""
        if finding == "missing_in_sis" and not key[1]:
            self._lose(run, key[0])
        elif action == "kept":
            self._keep(entry)
        elif action == "sent again":
            self.trail.append(Change(run, key, entry.sis, entry.sent))
            entry.sis = entry.known = entry.sent
            entry.kept = None
        elif finding != "orphaned":
            entry.kept = None

    def _item_drift(self, key: Key, entry: Entry, wanted: dict[Key, Value]) -> tuple[str, str]:
        if entry.sis is None:
            return "missing_in_sis", "listed"
        fields = self._differing(entry)
        if key[0] not in self.source.assessments:
            return "orphaned", "listed"
        if not fields:
            return "equal", ""
        if self.assignments == "overwrite":
            return "changed_in_sis", "sent again" if key in wanted else "listed"
        keeps = self.assignments == "keep" or set(fields) & set(OWN)
        return "changed_in_sis", "kept" if keeps else "listed"

    def _differing(self, entry: Entry) -> list[str]:
        return [name for name in COMPARED if getattr(entry.sis, name) != getattr(entry.known, name)]

    def _result_drift(self, key: Key, entry: Entry, wanted: dict[Key, Value]) -> tuple[str, str]:
        _, verdicts = self.wanted()
        verdict = verdicts.get(key)
        taken_back = (
            verdict is not None and verdict[1] == "score.not_graded" and entry.known.status != "not submitted"
        )
        if entry.sis is None:
            finding = "missing_in_sis"
        elif key[0] not in self.source.assessments or verdict is None or taken_back:
            finding = "orphaned"
        else:
            finding = "equal" if entry.sis == entry.known else "changed_in_sis"
        if finding == "equal":
            return finding, ""
        if finding == "orphaned" or self.scores == "report":
            return finding, "listed"
        if self.scores == "keep":
            return finding, "kept"
        return finding, "sent again" if key in wanted else "listed"

    def _keep(self, entry: Entry) -> None:
        entry.undone = None
        if isinstance(entry.known, LineItem):
            fields = self._differing(entry)
            if self.assignments != "keep":
                fields = [name for name in fields if name in OWN]
            entry.kept = {name: getattr(entry.sis, name) for name in fields}
        else:
            entry.kept = {"all": entry.sis}

    def _lose(self, run: str, assessment: str) -> None:
        """Note that a line item is in the SIS no more, nor its results."""
        for key, entry in self.entries.items():
            if key[0] == assessment and (entry.sent is not None or entry.known is not None):
                if entry.known is not None:
                    self.trail.append(Change(run, key, entry.known, None))
                entry.known, entry.sis, entry.gone = None, None, True

    # --- Undo ---

    def undo(self, run: str, undoes: str) -> dict[Key, str]:
        """Put back what a run changed and the SIS still holds as it left it; what becomes of each."""
        changes, fates = self.changes_of(undoes), self._fates(undoes)
        self.runs.append(Run(run, "undo", undoes))
        puts_back = self._depth(undoes) % 2 == 0
        written = {key: fate for key, fate in fates.items() if fate in {"put_back", "cleared", "withdrawn"}}
        for key, fate in written.items():
            entry, change = self.entry(key), changes[key]
            entry.undone = change.after if puts_back else None
            entry.kept = None if puts_back else entry.kept
            if fate == "put_back":
                self._set(run, key, change.before, self._beside_theirs(entry, change))
            elif fate == "cleared":
                self._set(run, key, None, None)
        for key in (key for key, fate in written.items() if fate == "withdrawn"):
            self._lose(run, key[0])
        return fates

    def _fates(self, undoes: str) -> dict[Key, str]:
        """What becomes of each entry that a run changed."""
        undone = next(found for found in self.runs if found.key == undoes)
        fates = {key: self._fate(change, undone) for key, change in self.changes_of(undoes).items()}
        there = {key[0] for key in self.keys(results=False) if self.entry(key).sis is not None}
        there |= {key[0] for key, fate in fates.items() if not key[1] and fate == "put_back"}
        for key, fate in fates.items():  # a result can only come back with its line item
            if key[1] and key[0] not in there and fate != "as_before":
                fates[key] = "left"
        for key, fate in fates.items():
            others = (other for other in self.keys(results=True) if other[0] == key[0])
            if fate == "withdrawn" and any(
                self.entry(other).sis is not None and fates.get(other) != "cleared" for other in others
            ):
                fates[key] = "left"
        return fates

    def _beside_theirs(self, entry: Entry, change: Change) -> Value:
        """What is put back, with the category that a teacher gave it."""
        value: Value = change.before
        if isinstance(value, LineItem) and entry.sis is not None and entry.known is not None:
            ours = (entry.sent.category, entry.known.category)
            if entry.sis.category not in ours:
                return value._replace(category=entry.sis.category)
        return value

    def changes_of(self, run: str) -> dict[Key, Change]:
        """What a run changed in all, by entry; nothing of what it left as it was."""
        found: dict[Key, Change] = {}
        for change in self.trail:
            if change.run == run:
                first = found.get(change.key, change)
                found[change.key] = first._replace(after=change.after)
        return {key: change for key, change in found.items() if change.before != change.after}

    def _fate(self, change: Change, undone: Run) -> str:
        entry = self.entry(change.key)
        later = change.key in self._changed_after(undone.key)
        if isinstance(change.before or change.after, LineItem):
            as_left = change.after is not None and _stands(entry.sis, change.after)
            if as_left:  # where the run left the category alone, a teacher's own stays beside it
                as_left = change.after.category in (
                    entry.sis.category,
                    getattr(change.before, "category", ""),
                )
            away = change.after is None and entry.gone and not later and undone.mode == "undo"
            as_left |= away and entry.sis is None
            as_before = _stands(entry.sis, change.before)
            if as_before and entry.sis is not None:
                as_before = entry.sis.category == change.before.category
        else:
            as_before = entry.sis == change.before
            empty = change.after is None and not later and (not entry.gone or undone.mode == "undo")
            as_left = entry.sis == change.after if change.after is not None else empty and entry.sis is None
        if not as_left:
            return "as_before" if as_before else "left"
        if change.before is not None:
            return "put_back"
        return "cleared" if change.key[1] else "withdrawn"

    def _changed_after(self, run: str) -> set[Key]:
        """The entries that a later run has changed since."""
        last = {change.key: place for place, change in enumerate(self.trail) if change.run == run}
        return {
            change.key
            for place, change in enumerate(self.trail)
            if place > last.get(change.key, len(self.trail))
        }

    def _depth(self, run: str) -> int:
        found = next(known for known in self.runs if known.key == run)
        return 1 + self._depth(found.undoes) if found.undoes else 0

    # --- Purge ---

    def purge(self, due_before: str) -> None:
        """Forget the line items due before a day, unless a rule lets one of their scores wait or pass."""
        for key in self.keys(results=False):
            sent = self.entry(key).sent
            if sent is None or sent.due >= due_before:
                continue
            of_it = [place for place in self.nights if place[0] == key[0]]
            if any(self.nights[place][-1:] and self.nights[place][-1][1] not in OVER for place in of_it):
                continue
            for other, entry in self.entries.items():
                if other[0] == key[0]:
                    self.entries[other] = Entry(sis=entry.sis)
            for place in of_it:
                self.nights[place] = []

    # --- What people do in the SIS ---

    def set_by_hand(self, key: Key, **fields: Any) -> bool:
        """Somebody changes an entry in the SIS; False where it holds none."""
        entry = self.entry(key)
        if entry.sis is None:
            return False
        entry.sis = entry.sis._replace(**fields)
        return True

    def delete_by_hand(self, key: Key) -> bool:
        """Somebody takes an entry out of the SIS, a line item with its results; False where it holds none."""
        if self.entry(key).sis is None:
            return False
        for other, entry in self.entries.items():
            if other == key or (not key[1] and other[0] == key[0]):
                entry.sis = None
        return True


def _same(sent: Any, value: Value) -> bool:
    """Whether nothing need be sent: of a result, another date alone is no change (seed 001)."""
    if isinstance(value, Result) and sent is not None:
        return bool(sent._replace(date=value.date) == value)
    return bool(sent == value)


def _stands(sis: Any, value: Any) -> bool:
    """Whether the SIS holds a line item; its category may be a teacher's own."""
    if sis is None or value is None:
        return sis is value
    return bool(sis._replace(category="", period="") == value._replace(category="", period=""))
