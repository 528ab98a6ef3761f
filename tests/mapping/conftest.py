"""A good mapping file, and a place to write worse ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from passback.mapping.file import MappingFileError, read_mapping

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
district: lakeview
name: Lakeview Unified School District
timezone: America/Los_Angeles
schedule: "0 22 * * *"
effective_date: 2026-08-17
source: {system: otus, connection: lakeview_otus}
sis:
  system: skyward
  connection: lakeview_skyward
confirmed: [oneroster_licence, use_grade_unchecked]
categories:
  Assignment: Assignment
  Checklist: Classwork
  Homework: Homework
  Journal: Project
  Lab: Lab
  Observation: Observation
  Paper: Project
  Presentation: Project
  Project: Project
  Quiz: Quiz
  Test: Test
  Worksheet: Classwork
rules: {}
""".splitlines()

GOOD = "\n".join(LINES) + "\n"


class Refuse(Protocol):
    def __call__(self, content: str | bytes, name: str = "lakeview.yaml") -> MappingFileError: ...


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Write a mapping file that must be refused; gives the error."""

    def written(content: str | bytes, name: str = "lakeview.yaml") -> MappingFileError:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(MappingFileError) as refused:
            read_mapping(path)
        return refused.value

    return written
