from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import stack

SCRIPT = Path(stack.__file__).parent / "find_python.sh"
GOOD = f'exec "{sys.executable}" "$@"'
TOO_NEW = "exit 1"
MISSING_VERSION_BEHIND_A_SHIM = 'echo "python3.11: command not found" >&2; exit 127'
WITHOUT_ENSUREPIP = 'case "$2" in *ensurepip*) exit 1;; esac'


def find(folders: list[Path], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": ":".join(map(str, folders)), **variables}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)], check=False, capture_output=True, text=True, env=environment
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "some programs"
    folder.mkdir()
    return folder


def add(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_no_python_says_what_to_install(folder: Path) -> None:
    found = find([folder])
    assert found.returncode == 1
    assert found.stdout == ""
    assert "Python 3.11 is not installed" in found.stderr
    assert "apt install python3.11" in found.stderr


def test_another_version_does_not_do(folder: Path) -> None:
    add(folder, "python3", TOO_NEW)
    assert "Python 3.11 is not installed" in find([folder]).stderr


def test_python3_does_if_it_is_one(folder: Path) -> None:
    program = add(folder, "python3", GOOD)
    assert find([folder]).stdout.strip() == str(program)


def test_a_missing_venv_names_the_package(folder: Path) -> None:
    add(folder, "python3.11", WITHOUT_ENSUREPIP)
    found = find([folder])
    assert found.returncode == 1
    assert "Install the package python3.11-venv" in found.stderr


def test_a_whole_python_is_preferred_to_one_without_venv(folder: Path, tmp_path: Path) -> None:
    add(folder, "python3.11", WITHOUT_ENSUREPIP)
    whole = add(tmp_path / "later", "python3.11", GOOD)
    assert find([folder, tmp_path / "later"]).stdout.strip() == str(whole)


def test_a_shim_without_its_version_is_passed_over(folder: Path, tmp_path: Path) -> None:
    add(folder, "python3.11", MISSING_VERSION_BEHIND_A_SHIM)
    real = add(tmp_path / "later", "python3.11", GOOD)
    assert find([folder, tmp_path / "later"]).stdout.strip() == str(real)


def test_the_one_that_is_asked_for_is_taken(folder: Path, tmp_path: Path) -> None:
    add(folder, "python3.11", GOOD)
    wish = add(tmp_path / "mine", "snake", GOOD)
    assert find([folder], PYTHON=str(wish)).stdout.strip() == str(wish)


def test_a_wish_that_is_no_python_is_refused(folder: Path) -> None:
    add(folder, "python3.11", GOOD)
    assert "/bin/false is not a Python 3.11" in find([folder], PYTHON="/bin/false").stderr
