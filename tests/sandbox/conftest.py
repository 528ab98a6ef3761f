from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox_process import SandboxProcess, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def seeded(running: SandboxProcess) -> SandboxProcess:
    """A sandbox seeded before the module's first test, for tests that change nothing in it."""
    running.reset()
    return running


@pytest.fixture(scope="session")
def running_small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with start_sandbox(tmp_path_factory.mktemp("small"), modules="AAA") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_small: SandboxProcess) -> SandboxProcess:
    """A freshly seeded sandbox with one module, for tests that change something in it."""
    running_small.reset()
    return running_small


@pytest.fixture
def whole_sandbox(running: SandboxProcess) -> SandboxProcess:
    """A freshly seeded sandbox with all modules."""
    running.reset()
    return running
