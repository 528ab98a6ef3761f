"""Plain YAML with line numbers: what a mapping file may be written in.

A subset of YAML, read event by event from the C parser, which is fast and knows the lines: mappings,
lists and scalars of YAML's own types. No anchors, aliases, merge keys, tags or further documents: a
mapping file says everything once, and no text in it can make an object.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from passback.mapping.secrets import shown

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 8

_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "timestamp", "str")
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """Something in the text that a mapping file may not hold: line (from 1), field, what, mend."""

    line: int
    field: Path
    what: str
    mend: str


@dataclass
class Document:
    """What a text says.

    Attributes:
        data: Dicts, lists and scalars; None if there is nothing.
        lines: The line, from 1, of every key and list item by its path; () is the first line of all.
        faults: What was refused; if there are any, `data` may lack something.
    """

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """The line of `path`, or of the nearest above it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _StopError(Exception):
    """The rest of the text cannot be read sensibly."""


def parse(content: bytes) -> Document:
    """Read a mapping file's content.

    Never raises for any content: what is wrong stands in `faults`.
    """
    document = Document()
    if len(content) > MAX_BYTES:
        return _only(
            document,
            1,
            f"the file is larger than {MAX_BYTES // 1024} KiB.",
            "A mapping file takes some 25 lines: look whether it is the right file.",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _only(document, line, "the file is not UTF-8 text.", "Save it with the encoding UTF-8.")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        return _only(
            document, line, "there is a control character here.", "Delete it; a text editor can show it."
        )
    reader = _Reader(text, document)
    try:
        reader.read()
    except _StopError:
        document.data = None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.data = None
        _only(document, mark.line + 1 if mark else 1, *_syntax(text, mark.line if mark else 0, error))
    except yaml.YAMLError:
        document.data = None
        _only(document, 1, "this is not YAML.", "Compare it with the example in docs/mapping-file.md.")
    finally:
        reader.close()
    return document


def _only(document: Document, line: int, what: str, mend: str) -> Document:
    document.faults.append(Fault(line, (), what, mend))
    return document


def _syntax(text: str, index: int, error: yaml.MarkedYAMLError) -> tuple[str, str]:
    lines = text.splitlines()
    here = lines[index] if index < len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or re.search(r"[:,\[{-]\s*\t", here):
        return "there is a tab where YAML wants spaces.", "Replace tabs by spaces."
    # libyaml's own words; they are fixed and repeat nothing of the file
    return (
        f"this is not YAML: {error.problem}.",
        "Look at this line and the one above: quotes, colons and the spaces before each line.",
    )


class _Reader:
    """Builds a document from the C parser's events."""

    def __init__(self, text: str, document: Document) -> None:
        self._loader = yaml.CSafeLoader(text)
        self._document = document

    def close(self) -> None:
        self._loader.dispose()

    def read(self) -> None:
        self._next()  # the stream starts
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        first = self._next()
        self._document.lines[()] = first.start_mark.line + 1
        self._document.data = self._value(first, ())
        self._next()  # the document ends
        further = self._next()
        if not isinstance(further, yaml.StreamEndEvent):
            self._fault(
                further,
                (),
                "a second document begins here.",
                "One file holds one district: remove the `---`.",
            )

    def _next(self) -> Any:
        return self._loader.get_event()

    def _fault(self, event: Any, path: Path, what: str, mend: str) -> None:
        self._document.faults.append(Fault(event.start_mark.line + 1, path, what, mend))

    def _value(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.AliasEvent):
            self._fault(
                event,
                path,
                "this refers to another place (`*`).",
                "Write the value itself, or put it in quotes if it begins with `*`.",
            )
            return None
        if event.anchor is not None:
            self._fault(
                event,
                path,
                "anchors (`&`) are not allowed.",
                "Write the value itself, or put it in quotes if it begins with `&`.",
            )
        if event.tag is not None:
            self._fault(
                event,
                path,
                "tags (`!`) are not allowed.",
                "Write the value itself, or put it in quotes if it begins with `!`.",
            )
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            self._fault(
                event,
                path[:1],
                "this is nested too deeply.",
                "Compare it with the example in docs/mapping-file.md.",
            )
            raise _StopError
        return self._list(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)

    def _scalar(self, event: Any, path: Path) -> Any:
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _PLAIN_TAGS:
            self._fault(
                event,
                path,
                "merge keys and the like are not allowed.",
                "Write the fields themselves, or put the text in quotes.",
            )
            return None
        try:
            return self._loader.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError, yaml.YAMLError):
            kind = "date" if tag.endswith("timestamp") else "number"
            self._fault(
                event,
                path,
                f"there is no such {kind}.",
                f"Correct the {kind}, or put it in quotes if it is a text.",
            )
            return None

    def _list(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self._document.lines[here] = event.start_mark.line + 1
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            line = event.start_mark.line + 1
            if key in values:
                self._fault(
                    event,
                    here,
                    f"`{shown(key)}` stands here a second time, first in line {self._document.lines[here]}.",
                    "Keep one of the two.",
                )
                before = {
                    place: at for place, at in self._document.lines.items() if place[: len(here)] == here
                }
                self._value(self._next(), here)
                self._document.lines.update(before)
                continue
            self._document.lines[here] = line
            values[key] = self._value(self._next(), here)
        return values

    def _key(self, event: Any, path: Path) -> str:
        faults = len(self._document.faults)
        key = self._value(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._fault(
                event,
                path,
                "a list or mapping cannot be a key.",
                "Compare it with the example in docs/mapping-file.md.",
            )
            raise _StopError
        if not isinstance(key, str) and len(self._document.faults) == faults:
            kind = "date" if isinstance(key, dt.date) else "number, yes, no or nothing"
            self._fault(
                event,
                (*path, str(event.value)),
                f"expected a text as the key, found a {kind}.",
                "Put the key in quotes.",
            )
        return str(event.value)
