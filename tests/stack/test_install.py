from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from stack import install
from stack.errors import StackError, in_plain_words

RUNTIME, DEVELOPMENT = install.RUNTIME, install.DEVELOPMENT


class Pip:
    """Stands in for venv and pip, neither of which the tests may run: remembers what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.killed_at = ""
        monkeypatch.setattr(install, "_run", self.run)

    def run(self, command: list[str], _log: Path, _failure: str) -> None:
        what = "venv" if "venv" in command else Path(command[-1]).name if "-r" in command else "passback"
        self.asked.append(what)
        if what == self.killed_at:
            raise KeyboardInterrupt
        if what == "venv":
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir()
            python.symlink_to(sys.executable)

    def take(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    return Pip(monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    root.mkdir()
    for name in (*DEVELOPMENT, "pyproject.toml"):
        (root / name).write_text(f"{name}==1\n", encoding="utf-8")
    return root


def test_the_first_time_all_is_installed(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    assert pip.take() == ["venv", "requirements.txt", "passback"]


def test_the_second_time_nothing_is_done(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    pip.take()
    install.install(root, RUNTIME)
    assert pip.take() == []


def test_changed_requirements_are_installed_into_what_is_there(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    pip.take()
    (root / "requirements.txt").write_text("airflow==4\n", encoding="utf-8")
    install.install(root, RUNTIME)
    assert pip.take() == ["requirements.txt", "passback"]


def test_the_tests_add_only_their_own_packages(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    pip.take()
    install.install(root, DEVELOPMENT)
    assert pip.take() == ["requirements-dev.txt", "passback"]
    install.install(root, RUNTIME)
    assert pip.take() == []


@pytest.mark.parametrize("moment", ["venv", "requirements.txt", "passback"])
def test_an_installation_that_was_killed_is_made_anew(root: Path, pip: Pip, moment: str) -> None:
    pip.killed_at = moment
    with pytest.raises(KeyboardInterrupt):
        install.install(root, RUNTIME)
    pip.killed_at = ""
    pip.take()
    (root / ".venv" / "half-unpacked").touch()
    install.install(root, RUNTIME)
    assert pip.take() == ["venv", "requirements.txt", "passback"]
    assert not (root / ".venv" / "half-unpacked").exists()


def test_packages_of_the_tests_cut_off_while_they_came_are_made_anew_with_all(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    pip.killed_at = "requirements-dev.txt"
    with pytest.raises(KeyboardInterrupt):
        install.install(root, DEVELOPMENT)
    pip.killed_at = ""
    pip.take()
    install.install(root, DEVELOPMENT)
    assert pip.take() == ["venv", "requirements.txt", "requirements-dev.txt", "passback"]


def test_a_checkout_that_was_moved_gets_a_new_environment(root: Path, pip: Pip) -> None:
    install.install(root, RUNTIME)
    pip.take()
    moved = root.rename(root.with_name("elsewhere"))
    install.install(moved, RUNTIME)
    assert pip.take() == ["venv", "requirements.txt", "passback"]


def test_an_environment_made_by_hand_is_made_anew(root: Path, pip: Pip) -> None:
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    install.install(root, RUNTIME)
    assert pip.take() == ["venv", "requirements.txt", "passback"]


def test_a_full_disk_is_told_before_anything_is_done(
    root: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10**12, 10**12, 10**9)  # noqa: PYI024 - as shutil has it
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StackError, match=r"The disk is too full: .* has 1\.0 GB free, 3 GB are needed"):
        install.install(root, RUNTIME)
    assert pip.take() == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("NewConnectionError: [Errno -3] Temporary failure in name resolution", "cannot be reached"),
        ("ERROR: Could not find a version that satisfies x (from versions: none)", "cannot be reached"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
    ],
)
def test_a_failure_of_pip_is_explained_with_the_end_of_its_log(tmp_path: Path, said: str, told: str) -> None:
    log = tmp_path / "install.log"
    with pytest.raises(StackError) as raised:
        install._run(["/bin/sh", "-c", f"echo '{said}'; exit 1"], log, "No packages.")
    assert "No packages." in str(raised.value)
    assert told in str(raised.value)
    assert said in str(raised.value)


def test_settings_that_lead_pip_astray_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    log = tmp_path / "install.log"
    install._run(["/usr/bin/env"], log, "No environment.")
    said = log.read_text(encoding="utf-8")
    assert "PATH=" in said
    assert "PIP_TARGET" not in said
    assert "PYTHONDONTWRITEBYTECODE" not in said


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "The disk is full"), (errno.EACCES, "may not write there (/some/where)")],
)
def test_a_failed_file_operation_is_a_sentence(number: int, told: str) -> None:
    assert told in in_plain_words(OSError(number, os.strerror(number), "/some/where"))


@pytest.mark.usefixtures("pip")
def test_clean_takes_away_what_was_made_and_nothing_else(root: Path) -> None:
    install.install(root, RUNTIME)
    (root / "include" / "stack" / "__pycache__").mkdir(parents=True)
    (root / "include" / "stack" / "demo.py").touch()
    (root / "notes.txt").touch()
    install.clean(root)
    left = {str(path.relative_to(root)) for path in root.rglob("*")}
    made = {*DEVELOPMENT, "pyproject.toml", "notes.txt", "include", "include/stack", "include/stack/demo.py"}
    assert left == made


def test_it_runs_with_nothing_installed(root: Path) -> None:
    include = Path(install.__file__).parents[1]
    bare = [sys._base_executable, "-S", "-c", "from stack import install"]  # type: ignore[attr-defined]
    done = subprocess.run(
        bare, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(include)}, cwd=root
    )
    assert done.returncode == 0, done.stderr
