"""From mapping files to districts, and from what is wrong in them to file, line, field and mend.

Cheap enough for every parse of `dags/`: what was read once is kept as long as the file stays as it is.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from passback import paths
from passback.errors import ConfigurationError, MappingError
from passback.mapping import secrets, yaml
from passback.mapping.checks import Problem, nearest
from passback.mapping.model import District, problems_of
from passback.mapping.settings import SuiteState, settings_in, suites_state
from passback.rules.settings import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from passback.rules.settings import Setting

_SUFFIXES: Final = (".yaml", ".yml")
_SHOWN: Final = 20
_EXAMPLE: Final = "Compare it with the example in docs/mapping-file.md."


@dataclass(frozen=True)
class FileProblem:
    """One thing that is wrong in a mapping file.

    Attributes:
        file: The file, as it was asked for.
        line: The line, from 1; 0 if it is not about a line.
        field: The keys that lead to it, with dots; empty if it is about the whole file.
        what: What is wrong and what was expected. Never holds a value that looks like a secret.
        mend: What to do about it.
    """

    file: str
    line: int
    field: str
    what: str
    mend: str

    @property
    def where(self) -> str:
        """`file:line: field`, as far as there is one."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field}" if self.field else place

    def __str__(self) -> str:
        """One line: where, what, and the mend."""
        return f"{self.where}: {self.what} What to do: {self.mend}"


class MappingFileError(MappingError):
    """A mapping file that cannot be used, with everything that is wrong in it.

    Args:
        problems: At least one, in the order of the file.
    """

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.what, where=first.where, mend=first.mend)
        self.args = (self.problems,)

    def __str__(self) -> str:
        """A line for each problem."""
        lines = [str(problem) for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"{self.problems[0].file}: and {len(self.problems) - _SHOWN} more.")
        return "\n".join(lines)


@dataclass(frozen=True)
class Mappings:
    """What a folder of mapping files holds.

    Attributes:
        districts: By the district's name, sorted.
        broken: What is wrong, by file name, sorted.
    """

    districts: Mapping[str, District]
    broken: Mapping[str, MappingFileError]


# --- Reading ---


def read_mapping(path: Path) -> District:
    """The district that a mapping file describes.

    Raises:
        MappingFileError: it cannot be used; names all that is wrong.
    """
    try:
        state = path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(state.st_mode):
        raise _whole_file(path, "this is not a file.", "Remove it, or put a mapping file in its place.")
    return _read(path, (state.st_mtime_ns, state.st_size, state.st_ino), suites_state())


def read_mappings(folder: Path | None = None) -> Mappings:
    """All districts of a folder, `paths.mappings()` by default; a bad file never stops the others.

    Raises:
        ConfigurationError: the folder cannot be listed.
    """
    folder = folder or paths.mappings()
    districts: dict[str, District] = {}
    broken: dict[str, MappingFileError] = {}
    for files in _by_name(folder).values():
        for file in files:
            try:
                _refuse_twins(file, files)
                district = read_mapping(file)
                districts[district.district] = district
            except MappingFileError as error:
                broken[file.name] = error
    return Mappings(dict(sorted(districts.items())), dict(sorted(broken.items())))


def read_district(name: str, folder: Path | None = None) -> District:
    """One district of a folder, `paths.mappings()` by default, without reading the others.

    Raises:
        MappingFileError: its file cannot be used.
        ConfigurationError: there is no file for it, or the folder cannot be listed.
    """
    return read_mapping(mapping_path(name, folder))


def mapping_path(name: str, folder: Path | None = None) -> Path:
    """The mapping file of a district in a folder, `paths.mappings()` by default; it is not opened.

    Raises:
        MappingFileError: two files have this name.
        ConfigurationError: there is no file for it, or the folder cannot be listed.
    """
    folder = folder or paths.mappings()
    by_name = _by_name(folder)
    files = by_name.get(name.casefold(), [])
    for file in files:
        if file.stem == name:
            _refuse_twins(file, files)
            return file
    names = sorted(file.stem for files in by_name.values() for file in files)
    raise ConfigurationError(
        f"there is no mapping file for a district {secrets.shown(name)!r}.",
        where=str(folder),
        mend=nearest(name, names) or f"Districts: {', '.join(names[:_SHOWN]) or 'none'}.",
    )


def district_names(folder: Path | None = None) -> list[str]:
    """The names of the mapping files in `paths.mappings()` or another folder, sorted; none is opened.

    Raises:
        ConfigurationError: the folder cannot be listed.
    """
    return sorted({file.stem for files in _by_name(folder or paths.mappings()).values() for file in files})


def file_hash(path: Path) -> str:
    """SHA-256 of a mapping file, in hexadecimal: which one was in force.

    Raises:
        MappingFileError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


# --- How ---


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """Mapping files by their name in small letters, so that a copy on any file system is seen."""
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise ConfigurationError(
            f"the folder of mapping files cannot be listed ({error.strerror}).",
            where=str(folder),
            mend="Make the folder, or set PASSBACK_MAPPINGS to the right one.",
        ) from None
    by_name: dict[str, list[Path]] = {}
    for file in files:
        if not file.name.startswith((".", "_")) and not file.is_dir():
            by_name.setdefault(file.stem.casefold(), []).append(file)
    return by_name


def _refuse_twins(file: Path, files: list[Path]) -> None:
    others = ", ".join(other.name for other in files if other != file)
    if others:
        raise _whole_file(
            file,
            f"two files describe one district: {others} has the same name.",
            "Keep one of them, or name the districts differently (not only in capitals).",
        )


@lru_cache(maxsize=4096)
def _read(path: Path, file_state: tuple[int, ...], suites: tuple[SuiteState, ...]) -> District:
    del file_state  # only tells one version of the file from the next
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    document = yaml.parse(content)
    faults = document.faults
    problems = [_at(path, fault.line, Problem(fault.field, fault.what, fault.mend)) for fault in faults]
    problems += _secrets(path, document, content)
    district: District | None = None
    if document.data is not None or not faults:
        told = {problem.field for problem in problems if problem.field}
        district, found = _district(path, document.data, suites)
        of_the_model = [_at(path, document.line_of(wrong.field), wrong) for wrong in found]
        problems += [problem for problem in of_the_model if problem.field not in told]
    if problems or district is None:
        raise MappingFileError(sorted(problems, key=lambda problem: problem.line))
    return district


def _district(path: Path, data: Any, suites: tuple[SuiteState, ...]) -> tuple[District | None, list[Problem]]:
    if data is None:
        return None, [Problem((), "the file is empty.", _EXAMPLE)]
    if not isinstance(data, dict):
        return None, [Problem((), f"expected fields with their values, found {kind_of(data)}.", _EXAMPLE)]
    problems = []
    source, sis = _system(data, "source"), _system(data, "sis")
    settings: Mapping[str, Setting] | None = None
    try:
        settings = settings_in(sis, suites)
    except ConfigurationError as error:
        what = f"the suites of this SIS cannot be used: {error.where}: {error.what}"
        problems.append(Problem(("sis", "system"), what, error.mend))
    district: District | None = None
    try:
        district = District.model_validate(data, context={"settings": settings, "source": source, "sis": sis})
    except ValidationError as error:
        problems += problems_of(error)
    name = data.get("district")
    refused = any(wrong.field == ("district",) for wrong in problems)
    if isinstance(name, str) and name != path.stem and not refused:
        problems.append(_misnamed(path, secrets.shown(name)))
    return (None if problems else district), problems


def _misnamed(path: Path, name: str) -> Problem:
    what = f"expected the file's name, {path.stem}, found {name}."
    if (path.parent / f"{name}{path.suffix}").exists():
        mend = f"{name}{path.suffix} is that district: write `district: {path.stem}`, or remove this file."
    else:
        mend = f"Write `district: {path.stem}`, or name the file {name}{path.suffix}."
    return Problem(("district",), what, mend)


def _system(data: Mapping[str, Any], part: str) -> str:
    fields = data.get(part)
    system = fields.get("system") if isinstance(fields, dict) else None
    return system if isinstance(system, str) else ""


# --- Secrets ---


def _secrets(path: Path, document: yaml.Document, content: bytes) -> list[FileProblem]:
    problems = [
        _at(path, document.line_of(place), Problem(place, what, secrets.MEND))
        for place, what in _secrets_in(document.data, ())
    ]
    told = {problem.line for problem in problems}
    # Comments, and text that is not YAML, are not in the data.
    lines = enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1)
    problems += [
        _at(path, number, Problem((), secrets.VALUE_WHAT, secrets.MEND))
        for number, line in lines
        if number not in told and secrets.certain_secret(line)
    ]
    return problems


def _secrets_in(value: Any, place: yaml.Path) -> Iterator[tuple[yaml.Path, str]]:
    if isinstance(value, str) and secrets.secret_value(value):
        yield place, secrets.VALUE_WHAT
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets_in(item, (*place, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            here = (*place, key)
            # An assignment group may well be called Hall Pass.
            if secrets.secret_value(key):
                yield here, secrets.VALUE_WHAT
            elif secrets.secret_key(key) and not (place == ("categories",) and " " in key):
                yield here, secrets.KEY_WHAT
            else:
                yield from _secrets_in(item, here)


# --- Problems ---


def _at(path: Path, line: int, problem: Problem) -> FileProblem:
    field = ".".join(secrets.shown(key) for key in problem.field if isinstance(key, str))
    return FileProblem(str(path), line, field, problem.what, problem.mend)


def _whole_file(path: Path, what: str, mend: str) -> MappingFileError:
    return MappingFileError([FileProblem(str(path), 0, "", what, mend)])


def _unreadable(path: Path, error: OSError | ValueError) -> MappingFileError:
    words = error.strerror if isinstance(error, OSError) else "not a possible name"
    return _whole_file(
        path, f"the file cannot be read ({words}).", "Check that it exists and who may read it."
    )
