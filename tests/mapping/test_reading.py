"""Reading mapping files: one, one of many, all of a folder."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mapping.conftest import GOOD, LINES
from passback import paths
from passback.errors import ConfigurationError, MappingError
from passback.mapping.file import (
    MappingFileError,
    district_names,
    file_hash,
    mapping_path,
    read_district,
    read_mapping,
    read_mappings,
)
from passback.mapping.model import District
from passback.sis import PROFILES
from passback.sources.profiles import OTUS_TYPES

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, name: str, content: str = GOOD) -> Path:
    path = folder / name
    path.write_text(content.replace("district: lakeview", f"district: {path.stem}"), encoding="utf-8")
    return path


def test_the_sample_district_is_sound() -> None:
    district = read_mapping(paths.root() / "include" / "mappings" / "lakeview.yaml")
    assert district.name == "Lakeview Unified School District"
    assert district.zone == ZoneInfo("America/Los_Angeles")
    assert district.schedule == "0 22 * * *"
    assert district.effective_date == dt.date(2020, 8, 17)
    assert (district.source.system, district.source.connection) == ("otus", "lakeview_otus")
    assert (district.sis.system, district.sis.connection) == ("skyward", "lakeview_skyward")
    assert district.confirmed == ("oneroster_licence", "use_grade_unchecked")
    assert set(district.categories) == set(OTUS_TYPES)
    assert district.categories["Journal"] == "Project"
    assert not district.rules


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param("\ufeff" + GOOD, id="a byte order mark"),
        pytest.param(GOOD.rstrip("\n"), id="no line end at the end"),
        pytest.param("---\n" + GOOD + "...\n", id="document marks"),
        pytest.param("# Lakeview\n\n" + GOOD, id="comments"),
        pytest.param(GOOD.replace("rules: {}", "rules:"), id="empty rules"),
        pytest.param(GOOD.replace("rules: {}\n", ""), id="no rules"),
        pytest.param(GOOD.replace("2026-08-17", '"2026-08-17"'), id="the date in quotes"),
        pytest.param(GOOD.replace('"0 22 * * *"', "0  22 * * *"), id="cron without quotes"),
        pytest.param(GOOD.replace('"0 22 * * *"', "null"), id="only by hand"),
        pytest.param(GOOD.replace("Lakeview Unified", "Lac-à-l'Eau 湖"), id="letters of other languages"),
        pytest.param(GOOD.replace("  Quiz: Quiz", "  'Quiz': \"Quiz: oral\""), id="quotes"),
        pytest.param(
            GOOD.replace("system: skyward", "system: skyward\n  connections: 4\n  requests_per_second: 2.5"),
            id="limits",
        ),
        pytest.param(GOOD + "drift: {scores: keep, assignments: overwrite}\n", id="drift"),
    ],
)  # fmt: skip
def test_accepted(content: str, tmp_path: Path) -> None:
    path = tmp_path / "lakeview.yaml"
    path.write_bytes(content.encode())
    assert read_mapping(path).district == "lakeview"


OPTIONS = {
    "transport": ("oneroster", "native"),
    "adopt": (False, True),
    "recreate": (False, True),
    "create_categories": (False, True),
    "removed_scores": ("report", "clear"),
}
EVERYWHERE = {"adopt", "recreate"}
# The systems that can do what else a district may ask for, beside those that can do none of it.
ABLE = {
    "aeries": {"transport"},
    "generic": {"create_categories", "removed_scores"},
    "infinite_campus": {"removed_scores"},
}


def test_what_a_district_does_not_ask_for_is_not_done(tmp_path: Path) -> None:
    sis = read_mapping(write(tmp_path, "lakeview.yaml")).sis
    assert {name: getattr(sis, name) for name in OPTIONS} == {
        name: default for name, (default, _) in OPTIONS.items()
    }


@pytest.mark.parametrize("system", sorted(PROFILES))
@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_a_district_may_ask_for_what_its_sis_can_do_and_for_nothing_else(
    system: str, option: str, tmp_path: Path
) -> None:
    default, asked = OPTIONS[option]
    of_system = GOOD.replace("system: skyward", f"system: {system}").replace(
        "[oneroster_licence, use_grade_unchecked]", json.dumps(list(PROFILES[system].confirmations))
    )

    def read(value: object) -> object:
        line = f"  {option}: {json.dumps(value)}\nconfirmed:"
        path = write(tmp_path, "lakeview.yaml", of_system.replace("confirmed:", line))
        return getattr(read_mapping(path).sis, option)

    assert read(default) == default
    if option in EVERYWHERE | ABLE.get(system, set()):
        assert read(asked) == asked
    else:
        with pytest.raises(MappingFileError) as refused:
            read(asked)
        (problem,) = refused.value.problems
        assert (problem.line, problem.field) == (10, f"sis.{option}")
        assert PROFILES[system].title in problem.what


def test_a_schedule_is_kept_with_single_spaces(tmp_path: Path) -> None:
    path = write(tmp_path, "lakeview.yaml", GOOD.replace("0 22 * * *", "0  22 * *  *"))
    assert read_mapping(path).schedule == "0 22 * * *"


def test_a_district_cannot_be_changed(tmp_path: Path) -> None:
    district = read_mapping(write(tmp_path, "lakeview.yaml"))
    with pytest.raises(ValidationError):
        district.name = "Other"  # type: ignore[misc]


def test_a_district_survives_its_own_json(tmp_path: Path) -> None:
    district = read_mapping(write(tmp_path, "lakeview.yaml"))
    assert District.model_validate(district.model_dump(mode="json")) == district


# --- A folder ---


def test_one_bad_file_leaves_the_others_alone(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml")
    write(tmp_path, "a.yaml")
    write(tmp_path, "broken.yaml", "district: [")
    (tmp_path / "empty.yml").touch()
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    found = read_mappings(tmp_path)
    assert list(found.districts) == ["a", "b"]
    assert list(found.broken) == ["broken.yaml", "empty.yml", "gone.yaml"]
    assert all(isinstance(error, MappingError) for error in found.broken.values())


def test_only_mapping_files_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    for name in (".hidden.yaml", "_draft.yaml", "schema.json", "notes.txt", "a.yaml.bak", "a.yaml~"):
        (tmp_path / name).write_text("not: a mapping")
    (tmp_path / "folder.yaml").mkdir()
    assert district_names(tmp_path) == ["a"]
    assert list(read_mappings(tmp_path).districts) == ["a"]
    assert not read_mappings(tmp_path).broken


@pytest.mark.parametrize("twin", ["lakeview.yml", "Lakeview.yaml", "LAKEVIEW.YML", "lakeview.YAML"])
def test_two_files_of_one_name_are_both_refused_and_name_each_other(twin: str, tmp_path: Path) -> None:
    write(tmp_path, "lakeview.yaml")
    write(tmp_path, twin)
    write(tmp_path, "other.yaml")
    found = read_mappings(tmp_path)
    assert list(found.districts) == ["other"]
    assert twin in str(found.broken["lakeview.yaml"])
    assert "lakeview.yaml" in str(found.broken[twin])
    with pytest.raises(MappingError, match="two files describe one district"):
        read_district("lakeview", tmp_path)


def test_a_copy_that_kept_its_district_is_refused_and_the_original_stays(tmp_path: Path) -> None:
    write(tmp_path, "lakeview.yaml")
    (tmp_path / "copy.yaml").write_text(GOOD)
    found = read_mappings(tmp_path)
    assert list(found.districts) == ["lakeview"]
    problem = found.broken["copy.yaml"].problems[0]
    assert (problem.line, problem.field) == (1, "district")
    assert "lakeview.yaml is that district" in problem.mend


def test_one_district_is_read_without_the_others(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    write(tmp_path, "broken.yaml", "district: [")
    assert read_district("a", tmp_path).district == "a"
    assert mapping_path("a", tmp_path) == tmp_path / "a.yaml"


def test_a_district_may_end_in_yml(tmp_path: Path) -> None:
    write(tmp_path, "a.yml")
    assert mapping_path("a", tmp_path) == tmp_path / "a.yml"
    assert read_district("a", tmp_path).district == "a"


def test_an_unknown_district_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "lakeview.yaml")
    with pytest.raises(ConfigurationError, match="Did you mean lakeview"):
        read_district("lakevew", tmp_path)
    with pytest.raises(ConfigurationError, match="Did you mean lakeview"):
        read_district("Lakeview", tmp_path)


def test_names_are_listed_without_opening_files(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", "broken: [")
    write(tmp_path, "a.yaml")
    assert district_names(tmp_path) == ["a", "b"]


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    for listing in (district_names, read_mappings):
        with pytest.raises(ConfigurationError, match="PASSBACK_MAPPINGS"):
            listing(tmp_path / "nowhere")


def test_an_empty_folder_holds_no_districts(tmp_path: Path) -> None:
    assert not read_mappings(tmp_path).districts
    assert not district_names(tmp_path)


def test_the_folder_comes_from_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.yaml")
    monkeypatch.setenv("PASSBACK_MAPPINGS", str(tmp_path))
    assert district_names() == ["a"]
    assert read_district("a").district == "a"


# --- Kept as long as the file stays as it is ---


def test_a_file_that_stays_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path, "lakeview.yaml")
    assert read_mapping(path) is read_mapping(path)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "lakeview.yaml")
    before = read_mapping(path)
    path.write_text(GOOD.replace("Unified", "United_"))
    os.utime(path, ns=(1, 1))
    assert read_mapping(path).name != before.name
    path.write_text("broken: [")
    with pytest.raises(MappingError):
        read_mapping(path)


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = write(tmp_path, "lakeview.yaml")
    assert file_hash(path) == hashlib.sha256(GOOD.encode()).hexdigest()
    with pytest.raises(MappingError):
        file_hash(tmp_path / "nowhere.yaml")


def test_an_error_survives_a_change_of_process(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as refused:
        read_mapping(write(tmp_path, "lakeview.yaml", "a: b"))
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # noqa: S301 - our own


def test_a_hundred_mappings_are_read_within_half_a_second(tmp_path: Path) -> None:
    for number in range(100):
        write(tmp_path, f"district{number}.yaml")
    start = time.process_time()
    assert len(read_mappings(tmp_path).districts) == 100
    assert time.process_time() - start < 0.5


def test_nothing_heavy_is_imported() -> None:
    heavy = "pandas", "numpy", "airflow", "great_expectations", "aiohttp", "pyarrow", "sqlalchemy"
    code = f"import sys, passback.mapping.file; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Whatever stands in a file ---

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.datetimes()
)
FIELDS = st.sampled_from([line.split(":")[0].strip() for line in LINES]) | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=20,
)


def district_or_refusal(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(MappingError):
        assert read_mapping(path).district == path.stem


anything = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@anything
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
@example(b"a: &a [*a, *a]\n")
@example(b"? ? ? a")
@example(b"district: 0x_\nname: 1:60\neffective_date: 0000-00-00")
@example(b"a: 2001-12-14 21:59:43 +99:99\n")
@example(b"%TAG ! tag:x,2000:\n--- !y a")
def test_any_bytes_are_a_district_or_a_mapping_error(tmp_path: Path, content: bytes) -> None:
    district_or_refusal(tmp_path / "lakeview.yaml", content)


@anything
@given(TREES)
def test_any_tree_is_a_district_or_a_mapping_error(tmp_path: Path, tree: object) -> None:
    district_or_refusal(
        tmp_path / "lakeview.yaml", yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace")
    )


@anything
@given(st.integers(0, len(LINES) - 1), st.text(alphabet="abc:-*&!?'\"{}[]#>|%@`, \t09\n<=~", max_size=12))
def test_any_damaged_line_is_a_district_or_a_mapping_error(tmp_path: Path, line: int, damage: str) -> None:
    damaged = [*LINES[:line], LINES[line].split(":")[0] + ": " + damage, *LINES[line + 1 :]]
    district_or_refusal(tmp_path / "lakeview.yaml", "\n".join(damaged).encode())


@anything
@given(FIELDS, SCALARS)
def test_any_value_of_a_field_is_a_district_or_a_mapping_error(
    tmp_path: Path, field: str, value: object
) -> None:
    mapping = yaml.safe_load(GOOD) | {field: value}
    content = yaml.safe_dump(mapping, allow_unicode=True)
    district_or_refusal(tmp_path / "lakeview.yaml", content.encode(errors="replace"))
