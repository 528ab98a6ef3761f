"""`passback check`: mapping files, and the systems they name."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cli.conftest import Passback


def broken(mappings: Path) -> Path:
    file = mappings / "hilltop.yaml"
    good = (mappings / "lakeview.yaml").read_text().replace("district: lakeview", "district: hilltop")
    file.write_text(good.replace("America/Los_Angeles", "America/Los_Angelos"))
    return file


def test_good_files_pass(passback: Passback, mappings: Path) -> None:
    done = passback("--mappings", str(mappings), "check")
    assert done.returncode == 0
    assert "lakeview  Lakeview Unified School District  otus → skyward" in done.stdout


def test_a_problem_names_file_line_field_and_mend(passback_here: Passback, mappings: Path) -> None:
    file = broken(mappings)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if text.startswith("timezone"))
    done = passback_here("--mappings", str(mappings), "check")
    assert done.returncode == 1
    assert f"{file}:{line}: timezone: " in done.stdout
    assert "What to do: Did you mean America/Los_Angeles" in done.stdout
    assert "lakeview  Lakeview" in done.stdout  # one bad file does not hide the others


def test_one_district_is_checked_alone(passback_here: Passback, mappings: Path) -> None:
    broken(mappings)
    assert passback_here("--mappings", str(mappings), "check", "lakeview").returncode == 0
    assert passback_here("--mappings", str(mappings), "check", "hilltop").returncode == 1


def test_json_has_every_problem(passback_here: Passback, mappings: Path) -> None:
    file = broken(mappings)
    done = passback_here("--mappings", str(mappings), "check", "--json")
    bad, good = json.loads(done.stdout)["districts"]
    assert good == {"district": "lakeview", "problems": [], "connections": []}
    assert bad["district"] == "hilltop"
    (problem,) = bad["problems"]
    assert set(problem) == {"file", "line", "field", "what", "mend"}
    assert (problem["file"], problem["field"]) == (str(file), "timezone")


def test_a_system_that_does_not_answer_is_found_out(passback: Passback, mappings: Path) -> None:
    with socket.socket() as unused:  # bound, not listening: a port where nobody answers
        unused.bind(("127.0.0.1", 0))
        address = {
            "conn_type": "http",
            "schema": "http",
            "host": "127.0.0.1",
            "port": unused.getsockname()[1],
        }
        done = passback(
            *("--mappings", str(mappings), "check", "lakeview", "--connect", "--json"),
            AIRFLOW_CONN_LAKEVIEW_OTUS=json.dumps({**address, "password": "hidden-token"}),
            AIRFLOW_CONN_LAKEVIEW_SKYWARD=json.dumps({**address, "login": "id", "password": "hidden-secret"}),
        )
    assert done.returncode == 1
    findings = json.loads(done.stdout)["districts"][0]["connections"]
    assert [(found["check"], found["good"]) for found in findings if found["check"] != "confirmed"] == [
        ("source otus", False),
        ("SIS skyward", False),
    ]
    assert all(found["mend"] for found in findings if not found["good"])
    assert "hidden" not in done.stdout + done.stderr
