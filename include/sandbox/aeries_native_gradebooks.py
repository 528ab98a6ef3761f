"""The gradebooks that Aeries' native interface shows: one for every class, in two school years.

They are made of the roster when they are first asked for, so that a class which came later has one too. What
is written into this year's is the line items and results that OneRoster shows; last year's stand apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import dumps
from sandbox.gradebook_rules import today
from sandbox.sis import CATEGORIES
from sandbox.store import setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

KIND: Final = "nativeGradebook"
_FIRST_OF_THIS_YEAR: Final = 4_000_000
_FIRST_OF_LAST_YEAR: Final = 3_000_000
_FIRST_FURTHER: Final = 900_001
_ORDER: Final = [code for code, _ in CATEGORIES]
_COLORS: Final = ("6666ff", "33ffff", "336699", "00ff66", "ff9933", "cc3366", "999900", "009999")
_WITHOUT_MASTER_SCHEDULE: Final = "TN"
FINAL_MARKS: Final = (
    {"Mark": "A", "LowValue": 90, "HighValue": 110},
    {"Mark": "B", "LowValue": 80, "HighValue": 89.99},
    {"Mark": "C", "LowValue": 70, "HighValue": 79.99},
    {"Mark": "D", "LowValue": 60, "HighValue": 69.99},
    {"Mark": "F", "LowValue": 0, "HighValue": 59.99},
)


@dataclass(frozen=True)
class Gradebook:
    """A gradebook as it is kept.

    Attributes:
        number: Its number, unique over the years.
        year: The year in which its school year starts.
        class_id: The class of its section, as OneRoster calls it.
        staff: The staff id of its teacher.
        record: Its own fields; the categories are those of the class.
        is_current: Whether it is of this school year, and so of the state that OneRoster shows.
    """

    number: int
    year: int
    class_id: str
    staff: str
    record: dict[str, Any]
    is_current: bool

    @property
    def line_item_kind(self) -> str:
        """The kind of record that its assignments are kept as."""
        return "lineItem" if self.is_current else f"lineItem{self.year}"

    @property
    def result_kind(self) -> str:
        """The kind of record that its scores are kept as."""
        return "result" if self.is_current else f"result{self.year}"

    def logged(self, sourced_id: str) -> str:
        """A record of it in the log of writes."""
        return sourced_id if self.is_current else f"{self.year}/{sourced_id}"


@dataclass(frozen=True)
class GradebookCategory:
    """A category of a gradebook: Aeries' code of one character, and OneRoster's id and code of it."""

    code: str
    title: str
    sourced_id: str
    district_code: str


# --- School years ---


def current_year(connection: sqlite3.Connection) -> int:
    """The year in which this school year starts."""
    (starts,) = connection.execute(
        "SELECT min(json_extract(record, '$.startDate')) FROM sis_records WHERE kind = 'academicSession'"
    ).fetchone()
    return date.fromisoformat(starts).year


def default_year(connection: sqlite3.Connection) -> int:
    """The school year that a request is for when it names none that there is."""
    return int(setting(connection, "database_year", 0) or current_year(connection))


def year_asked_for(connection: sqlite3.Connection, asked: str) -> int:
    """The school year of a request: the one it names, or silently the default one."""
    this = current_year(connection)
    years = {str(this): this, str(this - 1): this - 1}
    return years.get(asked) or default_year(connection)


# --- Gradebooks made of the roster ---


def _terms(connection: sqlite3.Connection, *, single: bool, back: timedelta) -> list[dict[str, Any]]:
    found = connection.execute(
        "SELECT json_extract(record, '$.startDate'), json_extract(record, '$.endDate') FROM sis_records"
        " WHERE kind = 'academicSession' AND subtype = 'term' ORDER BY 1"
    ).fetchall()
    names = [("F", "Fall"), ("S", "Spring")]
    if single:
        names, found = [("Y", "Year")], [(found[0][0], found[-1][1])]
    return [
        {
            "Code": code,
            "Name": name,
            "StartDate": (date.fromisoformat(starts) - back).isoformat(),
            "EndDate": (date.fromisoformat(ends) - back).isoformat(),
        }
        for (code, name), (starts, ends) in zip(names, found, strict=False)
    ]


def _settings(terms: list[dict[str, Any]], *, single: bool) -> dict[str, Any]:
    starts, ends = terms[0]["StartDate"], terms[-1]["EndDate"]
    return {
        "AddDropStudentsAutomatically": True,
        "ApplyRangeToStudent": False,
        "CountCompletedNow": False,
        "CountHi": 999,
        "CountLo": 1,
        "CountMaxDate": f"{ends}T00:00:00",
        "CountMinDate": f"{starts}T00:00:00",
        "DoingFormativeSummativeWeight": False,
        "DoingMinMaxAssignmentValues": False,
        "DoingRubric": False,
        "DoingWeight": False,
        "FilterAssignmentsBy": "AssignmentDueDate",
        "FormativePercentage": 0,
        "HideDroppedStudents": False,
        "HideOverallScore": False,
        "HideOverallScoreFromParentStudent": False,
        "MaxAssignmentValue": 0,
        "MinAssignmentValue": 0,
        "ShowFinalMark": True,
        "ShowFinalMarkToParentStudent": True,
        "ShowHi": 999,
        "ShowLo": 1,
        "ShowMaxDate": f"{ends}T00:00:00",
        "ShowMinDate": f"{starts}T00:00:00",
        "ShowPointRatio": False,
        "SingleTermGradebook": single,
        "SummativePercentage": 0,
    }


def _teacher(connection: sqlite3.Connection, class_id: str) -> str:
    row = connection.execute(
        "SELECT user_id FROM sis_records WHERE kind = 'enrollment' AND class_id = ? AND subtype = 'teacher'",
        (class_id,),
    ).fetchone()
    return row[0] if row and row[0].isdigit() else "0"


def _is_free(connection: sqlite3.Connection, number: int) -> bool:
    return gradebook(connection, number, removed=True) is None


def keep(connection: sqlite3.Connection, found: Gradebook) -> None:
    """Store a gradebook."""
    connection.execute(
        "INSERT OR REPLACE INTO sis_records VALUES (?, ?, ?, ?, ?, NULL, ?)",
        (KIND, str(found.number), str(found.year), found.class_id, found.staff, dumps(found.record)),
    )


def make(
    connection: sqlite3.Connection, class_id: str, name: str, *, this_year: bool = True, linked_group: int = 0
) -> Gradebook | None:
    """Store a new gradebook of a class, numbered by its section, or further on if that number is taken.

    Returns:
        The gradebook, or None for a class whose id names no section.
    """
    parts = class_id.split("_")
    if len(parts) < 2 or not parts[0].isdigit() or not parts[-1].isdigit():  # noqa: PLR2004 - school, section
        return None
    school, section, single = int(parts[0]), int(parts[-1]), _WITHOUT_MASTER_SCHEDULE in parts
    base = _FIRST_OF_THIS_YEAR if this_year else _FIRST_OF_LAST_YEAR
    number = base + section
    if not _is_free(connection, number):
        number = base + _FIRST_FURTHER
        while not _is_free(connection, number):
            number += 1
    staff = _teacher(connection, class_id)
    terms = _terms(connection, single=single, back=timedelta(0 if this_year else 365))
    record = {
        "LinkedGroup": linked_group,
        "Name": name,
        "Comment": "",
        "GradebookType": "",
        "Period": 1,
        "SchoolCode": school,
        "SectionNumber": section,
        "TeacherNumber": section if single else int(staff),
        "TeacherName": staff,
        "TeacherEmailAddress": f"{staff}@example.com",
        "Terms": terms,
        "Settings": _settings(terms, single=single),
        "serial": 0,
    }
    year = current_year(connection) - (0 if this_year else 1)
    made = Gradebook(number, year, class_id, staff, record, this_year)
    keep(connection, made)
    return made


def _sibling(connection: sqlite3.Connection, first: Gradebook) -> None:
    """What a linked gradebook is linked with: that of the next section, which OneRoster does not know."""
    class_id = f"{first.record['SchoolCode']}_{first.record['SectionNumber'] + 1}"
    made = make(connection, class_id, f"{first.record['Name']} 2", this_year=first.is_current, linked_group=1)
    if made is not None:
        record = made.record | {name: first.record[name] for name in ("TeacherNumber", "TeacherName")}
        record["TeacherEmailAddress"] = first.record["TeacherEmailAddress"]
        keep(connection, Gradebook(made.number, made.year, class_id, first.staff, record, made.is_current))


def make_missing(connection: sqlite3.Connection) -> None:
    """Make this year's and last year's gradebooks of the classes that ought to have some and never had."""
    rows = connection.execute(
        "SELECT sourced_id, json_extract(record, '$.title'), json_extract(record, '$.metadata.gradebook')"
        " FROM sis_records c WHERE kind = 'class'"
        " AND coalesce(json_extract(record, '$.metadata.gradebook'), '') <> 'none' AND NOT EXISTS"
        " (SELECT 1 FROM sis_records g WHERE g.class_id = c.sourced_id AND g.kind = ?) ORDER BY 1",
        (KIND,),
    ).fetchall()
    for class_id, title, state in rows:
        for this_year in (True, False):
            group = 1 if state == "linked" else 0
            made = make(connection, class_id, title, this_year=this_year, linked_group=group)
            if made is not None and group:
                _sibling(connection, made)


# --- Reading them ---

_COLUMNS: Final = "SELECT sourced_id, subtype, class_id, user_id, record FROM sis_records WHERE kind = ?"
_PRESENT: Final = " AND coalesce(json_extract(record, '$.removed'), 0) = 0"


def _of_row(row: tuple[str, str, str, str, str], this_year: int) -> Gradebook:
    number, year, class_id, staff, record = row
    return Gradebook(int(number), int(year), class_id, staff, json.loads(record), int(year) == this_year)


def _select(connection: sqlite3.Connection, condition: str, *arguments: Any) -> list[Gradebook]:
    rows = connection.execute(
        f"{_COLUMNS}{condition} ORDER BY CAST(sourced_id AS INTEGER)", (KIND, *arguments)
    ).fetchall()
    this_year = current_year(connection)
    return [_of_row(row, this_year) for row in rows]


def gradebook(connection: sqlite3.Connection, number: int, *, removed: bool = False) -> Gradebook | None:
    """A gradebook, or None; one that was removed only if it is asked for."""
    found = _select(connection, " AND sourced_id = ?" + ("" if removed else _PRESENT), str(number))
    return found[0] if found else None


def gradebooks(connection: sqlite3.Connection, year: int) -> list[Gradebook]:
    """All of a school year."""
    return _select(connection, " AND subtype = ?" + _PRESENT, str(year))


def of_teacher(connection: sqlite3.Connection, year: int, staff: int) -> list[Gradebook]:
    """Those of a teacher."""
    return _select(connection, " AND subtype = ? AND user_id = ?" + _PRESENT, str(year), str(staff))


def of_section(connection: sqlite3.Connection, year: int, school: int, section: int) -> list[Gradebook]:
    """Those of a section."""
    condition = (
        " AND subtype = ? AND json_extract(record, '$.SchoolCode') = ?"
        " AND json_extract(record, '$.SectionNumber') = ?"
    )
    return _select(connection, condition + _PRESENT, str(year), school, section)


def of_class(connection: sqlite3.Connection, year: int, class_id: str) -> list[Gradebook]:
    """Those of a class; what is written over OneRoster belongs to the first."""
    return _select(connection, " AND subtype = ? AND class_id = ?" + _PRESENT, str(year), class_id)


def linked_with(connection: sqlite3.Connection, first: Gradebook) -> list[Gradebook]:
    """The gradebooks linked with one: same teacher, school and group, and the group is not 0."""
    if not first.record["LinkedGroup"]:
        return []
    names = ("SchoolCode", "LinkedGroup")
    return [
        other
        for other in of_teacher(connection, first.year, int(first.staff))
        if other.number != first.number and all(other.record[name] == first.record[name] for name in names)
    ]


def _codes(district_codes: list[str]) -> Iterator[str]:
    """A code of one character each: the first letter, or where that is taken a digit."""
    taken: set[str] = set()
    for district_code in district_codes:
        choice = next(code for code in (*district_code[:1], *"123456789", *"abcdefgh") if code not in taken)
        taken.add(choice)
        yield choice


def categories(connection: sqlite3.Connection, found: Gradebook) -> list[GradebookCategory]:
    """The categories of a gradebook: those of its class, or all of the district if the class has none."""
    rows = connection.execute(
        "SELECT json_extract(record, '$.metadata.code'), json_extract(record, '$.title'), sourced_id"
        " FROM sis_records WHERE kind = 'category' AND json_extract(record, '$.metadata.classId') = ?"
        " AND json_extract(record, '$.status') = 'active'",
        (found.class_id,),
    ).fetchall()
    rows = rows or [(code, title, code) for code, title in CATEGORIES]
    known = {code: place for place, code in enumerate(_ORDER)}
    rows.sort(key=lambda row: (known.get(row[0], len(known)), str(row[0]), row[2]))
    codes = _codes([str(code or title) for code, title, _ in rows])
    return [
        GradebookCategory(code, title, sourced_id, str(district_code))
        for code, (district_code, title, sourced_id) in zip(codes, rows, strict=True)
    ]


def shown_category(found: Gradebook, category: GradebookCategory, place: int) -> dict[str, Any]:
    """A category as it is answered."""
    return {
        "Code": category.code,
        "Color": _COLORS[place % len(_COLORS)],
        "Description": category.title,
        "GradebookNumber": found.number,
        "PercentageOfGrade": 0,
    }


def shown(connection: sqlite3.Connection, found: Gradebook) -> dict[str, Any]:
    """A gradebook as it is answered."""
    record, number = found.record, {"GradebookNumber": found.number}
    terms = [
        term | {name: f"{term[name]}T00:00:00" for name in ("StartDate", "EndDate")} | number
        for term in record["Terms"]
    ]
    inner = {"serial", "removed", "SectionNumber", "Terms", "Settings"}
    return {
        **number,
        **{name: value for name, value in record.items() if name not in inner},
        "StartDate": terms[0]["StartDate"],
        "EndDate": terms[-1]["EndDate"],
        "AssignmentCategories": [
            shown_category(found, category, place)
            for place, category in enumerate(categories(connection, found))
        ],
        "Sections": [number | {"SchoolCode": record["SchoolCode"], "SectionNumber": record["SectionNumber"]}],
        "Terms": terms,
        "Settings": number | record["Settings"],
    }


# --- Students ---


def current_students(connection: sqlite3.Connection, found: Gradebook) -> set[str]:
    """The SIS ids of the students who are in the gradebook today."""
    day = today(connection)
    rows = connection.execute(
        "SELECT user_id FROM sis_records WHERE kind = 'enrollment' AND class_id = ? AND subtype = 'student'"
        " AND coalesce(json_extract(record, '$.beginDate'), '') <= ?"
        " AND coalesce(json_extract(record, '$.endDate'), '9999') > ?"
        " AND json_extract(record, '$.status') = 'active'",
        (found.class_id, day, day),
    )
    return {user_id for (user_id,) in rows}


def students(connection: sqlite3.Connection, found: Gradebook, term: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody who is or was in a gradebook, as answered for one of its terms.

    Who dropped keeps the last day in the class as `EndDate`.
    """
    rows = connection.execute(
        "SELECT user_id, json_extract(record, '$.beginDate'), json_extract(record, '$.endDate')"
        " FROM sis_records WHERE kind = 'enrollment' AND class_id = ? AND subtype = 'student'"
        " ORDER BY user_id",
        (found.class_id,),
    ).fetchall()
    here = current_students(connection, found)
    answered = []
    for place, (user_id, begins, ends) in enumerate(rows, 1):
        last = (date.fromisoformat(ends) - timedelta(days=1)).isoformat() if ends else term["EndDate"]
        answered.append(
            {
                "StudentID": int(user_id),
                "StudentNumber": place,
                "SchoolCode": found.record["SchoolCode"],
                "StartDate": f"{begins or term['StartDate']}T00:00:00",
                "EndDate": f"{last}T00:00:00",
                "InactiveTag": "" if user_id in here else "I",
                "CurrentMark": "",
                "CurrentPercentage": 0,
                "CurrentTerm": term["Code"],
                "CustomSortOrder": place,
                "HighAssignmentNumber": 0,
                "LowAssignmentNumber": 0,
                "StudentFirstName": "Student",
                "StudentLastName": user_id,
                "StudentMiddleName": "",
                "StudentGradeLevel": 12,
                "StudentSex": "",
            }
        )
    return answered
