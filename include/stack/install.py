"""Make `.venv` and install into it what the pinned requirements say; only the standard library.

A file in `.venv`, written last, holds what was installed: a second run finds it and does nothing. Another
one, there only while something is being installed, tells of a run that was killed: then `.venv` is made anew,
for pip takes a half-unpacked package for an installed one.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stack import state
from stack.errors import StackError, in_plain_words
from stack.files import try_lock
from stack.processes import tail
from stack.progress import note, step

__all__ = ["clean", "install", "main"]

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ("requirements.txt",)
DEVELOPMENT = ("requirements.txt", "requirements-dev.txt")
GIGABYTE = 10**9
NEEDED_IN_ROOT = 3 * GIGABYTE
NEEDED_IN_TEMPORARY = 1 * GIGABYTE
PACKAGES_IN_THE_WAY = (
    "PIP_USER",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_NO_COMPILE",
    "PIP_REQUIRE_HASHES",
)
PYTHON_IN_THE_WAY = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "PYTHONPYCACHEPREFIX")

NETWORK = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "nodename nor servname",
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Read timed out",
    "ProxyError",
    "SSLError",
    "Connection refused",
    "Connection reset",
    "Network is unreachable",
    "Max retries exceeded",
    "(from versions: none)",
)


def install(root: Path, requirements: tuple[str, ...]) -> Path:
    """Bring `.venv` to what the requirements say; nothing is done if it is there already.

    Args:
        root: The checkout.
        requirements: Names of the pinned requirements files in it.

    Returns:
        The environment's Python.

    Raises:
        StackError: The machine is in the way; the message says how to mend it.
    """
    folder = root / ".demo"
    folder.mkdir(exist_ok=True)
    with (folder / "install.lock").open("w", encoding="utf-8") as lock:
        if not try_lock(lock.fileno()):
            note("Another make installs into this .venv: waiting until it is done.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return _install(root, requirements, folder / "logs" / "install.log")


def _install(root: Path, requirements: tuple[str, ...], log: Path) -> Path:
    environment = root / ".venv"
    python = environment / "bin" / "python"
    stamps = {name: environment / f"installed-{name}" for name in requirements}
    wanted = {name: _fingerprint(root, name) for name in requirements}
    under_way = environment / "installing"
    missing = [name for name in requirements if _read(stamps[name]) != wanted[name]]
    if not missing and not under_way.exists() and python.exists():
        return python

    _check_space(root, NEEDED_IN_ROOT)
    _check_space(Path(tempfile.gettempdir()), NEEDED_IN_TEMPORARY)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    if not _can_be_added_to(environment, root):
        if environment.exists():
            note("The .venv that is there was cut off while it was made, or made elsewhere: it is made anew.")
        _take_away(environment)
        environment.mkdir()
        under_way.touch()
        _run([sys.executable, "-m", "venv", str(environment)], log, "The environment .venv cannot be made.")
        missing = list(requirements)
    under_way.touch()
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
    for name in missing:
        count = sum(1 for line in (root / name).read_text(encoding="utf-8").splitlines() if "==" in line)
        note(f"{count} packages of {name}; what pip says goes into {log}")
        _run([*pip, "-r", str(root / name)], log, f"The packages of {name} cannot be installed.")
    _run([*pip, "--no-build-isolation", "-e", str(root)], log, "Passback itself cannot be installed.")
    for name in missing:
        stamps[name].write_text(wanted[name], encoding="utf-8")
    (environment / "made-in").write_text(str(root), encoding="utf-8")
    under_way.unlink()
    return python


def clean(root: Path) -> None:
    """End what a demo left running and take away all that `make demo` and `make test` have made."""
    state.remove(root / ".demo")
    for name in (
        ".venv",
        ".demo",
        ".cache",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        "dist",
    ):
        _take_away(root / name)
    for folder in ("plugins", "include", "dags", "tests", "bench"):
        for cache in [*(root / folder).rglob("__pycache__")]:
            _take_away(cache)


def main() -> int:
    """Entry of `python -m stack.install`."""
    commands = argparse.ArgumentParser(prog="stack.install")
    commands.add_argument("what", choices=("demo", "test", "clean"))
    what = commands.parse_args().what
    try:
        if what == "clean":
            clean(ROOT)
            print("All is taken away that make demo and make test had made.")
        elif what == "test":
            with step(1, "Installing what the tests need into .venv"):
                install(ROOT, DEVELOPMENT)
        else:
            with step(
                1, "Installing Passback and Airflow into .venv (about a minute and a half the first time)"
            ):
                install(ROOT, RUNTIME)
    except StackError as error:
        print(f"\n✗ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next run mends what is half done.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\n✗ {in_plain_words(error)}", file=sys.stderr)
        return 1
    return 0


def _fingerprint(root: Path, requirements: str) -> str:
    """Changes with whatever makes an installation another one."""
    told = hashlib.sha256()
    for file in (requirements, "pyproject.toml"):
        told.update((root / file).read_bytes())
    told.update(f"{root}\0{sys.version}".encode())
    return told.hexdigest()


def _can_be_added_to(environment: Path, root: Path) -> bool:
    """Whether the environment is whole: no installation was cut off, and it was made here, by this Python."""
    python = environment / "bin" / "python"
    if (environment / "installing").exists() or _read(environment / "made-in") != str(root):
        return False
    if not python.exists():
        return False
    version = [str(python), "-c", "import sys, pip; print(sys.version)"]
    told = subprocess.run(version, check=False, capture_output=True, text=True, env=_environment())  # noqa: S603
    return told.returncode == 0 and told.stdout.strip() == sys.version.strip()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _take_away(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _environment() -> dict[str, str]:
    """The person's environment without what would lead pip or Python astray."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in PACKAGES_IN_THE_WAY and name not in PYTHON_IN_THE_WAY
    }


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StackError(
            f"The disk is too full: {folder} has {free / GIGABYTE:.1f} GB free, "
            f"{needed / GIGABYTE:.0f} GB are needed. Make room and try again."
        )


def _run(command: list[str], log: Path, failure: str) -> None:
    """Run a command with its output in the log; StackError with the cause if it fails."""
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}  # {time.strftime('%H:%M:%S')}\n".encode())
        output.flush()
        written = output.tell()
        done = subprocess.run(  # noqa: S603 - our own command
            command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
        )
    if done.returncode:
        with log.open("rb") as words:
            words.seek(written)
            said = words.read().decode(errors="replace")
        raise StackError(f"{failure} {_cause(said)}\nThe end of {log}:\n{tail(log)}")


def _cause(said: str) -> str:
    """What pip's complaint means for the person who reads it."""
    if "No space left on device" in said:
        return "The disk is full. Make room and try again."
    if any(sign in said for sign in NETWORK):
        return (
            "The package index cannot be reached. Check this machine's network; behind a proxy set "
            "HTTPS_PROXY; an index of your own belongs into pip's configuration. Then try again."
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
