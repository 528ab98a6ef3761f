"""Canvas and Aspire in a sandbox, and Canyon Ridge, the district between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cli.conftest import airflow_imported, environment, passback_here  # noqa: F401 - fixtures
from passback import connections
from passback.mapping.file import read_district
from sandbox_process import SandboxProcess, request, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from passback.connections import Endpoint
    from passback.mapping.model import District

TERM, OTHER_TERM = "9102", "9101"
TITLES = ["Assignment", "Classwork", "Homework", "Lab", "Observation", "Project", "Quiz", "Test"]


@dataclass(frozen=True)
class CanyonRidge:
    """The sample district from Canvas to Aspire, with a sandbox and a ledger of its own."""

    sandbox: SandboxProcess
    ledger_url: str

    @property
    def district(self) -> District:
        return read_district("canyonridge")

    @property
    def endpoint(self) -> Endpoint:
        return connections.endpoint("canyonridge_canvas")

    def groups(self, course: str) -> list[dict[str, Any]]:
        """The assignment groups of a course as Canvas lists them."""
        token = self.sandbox.info()["lms"]["token"]
        reply = request(
            "GET",
            f"{self.sandbox.url}/api/v1/courses/{course}/assignment_groups?per_page=100",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert reply.status == 200
        return list(reply.json)

    def imported(self, course: str, term: str = TERM) -> list[tuple[str, str]]:
        """Name and category of the groups of a course that were imported for a term, in their order."""
        return [
            (group["name"], group["sis_source_id"])
            for group in self.groups(course)
            if group["integration_data"] == {"sis_term_id": term}
        ]

    def put_category(self, category_id: str, **changes: Any) -> None:
        """A person adds, renames or retires a category in the SIS."""
        self.sandbox.control("PUT", f"/sis/categories/{category_id}", changes)


def with_account(connection: dict[str, Any]) -> dict[str, Any]:
    """The connection to Canvas, its account named as the source reads it."""
    return connection | {"extra": {"account": "1", **connection["extra"]}}


@pytest.fixture(scope="module")
def running_canvas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox of Canvas and Aspire for all tests of a module."""
    folder = tmp_path_factory.mktemp("canvas")
    with start_sandbox(folder, lms="canvas", sis="aspire", modules="AAA") as process:
        yield process


@pytest.fixture
def canyonridge(
    running_canvas: SandboxProcess, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CanyonRidge:
    """The district, its sandbox freshly seeded, its ledger empty."""
    running_canvas.lift_faults()
    running_canvas.reset()
    told = running_canvas.info()["connections"]
    for name, value in {
        "AIRFLOW_CONN_CANYONRIDGE_CANVAS": json.dumps(with_account(told["source"])),
        "AIRFLOW_CONN_CANYONRIDGE_ASPIRE": json.dumps(told["sis"]),
        "AIRFLOW_CONN_PASSBACK_LEDGER": ledger_url,
        "PASSBACK_STAGE": (tmp_path / "stage").as_uri(),
    }.items():
        monkeypatch.setenv(name, value)
    return CanyonRidge(running_canvas, ledger_url)
