"""`passback new`: a mapping file that needs only what a person must say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from passback.mapping.file import read_mapping
from passback.sis import PROFILES
from passback.sources import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback

LONGEST = 30  # lines, and a person reads it in a minute


def confirm_all(file: Path) -> None:
    """What a person does who has made sure of it: take the # away."""
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"^  # - ", "  - ", text, flags=re.MULTILINE), encoding="utf-8")


@pytest.mark.parametrize("sis", sorted(PROFILES))
@pytest.mark.parametrize("source", sorted(SOURCES))
def test_any_source_with_any_sis_is_good_once_it_is_confirmed(
    passback_here: Passback, tmp_path: Path, source: str, sis: str
) -> None:
    done = passback_here("--mappings", str(tmp_path), "new", "fairview", "--source", source, "--sis", sis)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "fairview.yaml"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST
    confirm_all(file)
    district = read_mapping(file)
    assert (district.source.system, district.sis.system) == (source, sis)
    assert set(district.confirmed) == set(PROFILES[sis].confirmations)
    for key in PROFILES[sis].confirmations:
        assert f"Confirm {key}" in done.stdout
    assert "passback check fairview --connect" in done.stdout


def test_what_is_not_confirmed_is_named_by_the_check(passback_here: Passback, tmp_path: Path) -> None:
    folder = ("--mappings", str(tmp_path))
    passback_here(*folder, "new", "fairview", "--source", "otus", "--sis", "skyward")
    checked = passback_here(*folder, "check", "fairview")
    assert checked.returncode == 1
    assert "fairview.yaml:9: confirmed: `oneroster_licence` is not confirmed" in checked.stdout


def test_a_district_that_is_there_stays_as_it_is(passback_here: Passback, tmp_path: Path) -> None:
    (tmp_path / "Fairview.yml").write_text("kept", encoding="utf-8")
    done = passback_here(
        "--mappings", str(tmp_path), "new", "fairview", "--source", "otus", "--sis", "skyward"
    )
    assert done.returncode == 1
    assert "there is a mapping file of this district already" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["Fairview.yml"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fair view", "--source", "otus", "--sis", "skyward"), "DISTRICT: expected letters"),
        (("fairview", "--source", "otis", "--sis", "skyward"), "Did you mean otus?"),
        (("fairview", "--source", "otus", "--sis", "skywards"), "Did you mean skyward?"),
        (("fairview", "--source", "otus", "--sis", "skyward", "--timezone", "Pacific"), "--timezone"),
    ],
)
def test_what_is_wrong_in_the_command_is_said_and_nothing_written(
    passback_here: Passback, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = passback_here("--mappings", str(tmp_path), "new", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_name_day_and_zone_go_into_the_file(passback_here: Passback, tmp_path: Path) -> None:
    said = (
        "--name",
        'The "Hill" District: east',
        "--effective-date",
        "2026-08-17",
        "--timezone",
        "America/Denver",
    )
    passback_here("--mappings", str(tmp_path), "new", "hill", "--source", "csv", "--sis", "generic", *said)
    confirm_all(tmp_path / "hill.yaml")
    district = read_mapping(tmp_path / "hill.yaml")
    assert district.name == 'The "Hill" District: east'
    assert (district.effective_date.isoformat(), district.timezone) == ("2026-08-17", "America/Denver")
