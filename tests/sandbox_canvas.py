"""A client of the sandbox's Canvas for tests: the token, the pages, the control interface."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sandbox_process import request

if TYPE_CHECKING:
    from sandbox_process import Reply, SandboxProcess

WORKSHOP = 901
FRACTIONS = 900_001


def links(reply: Reply) -> dict[str, str]:
    """Relation → address, of a Link header."""
    return {name: url for url, name in re.findall(r'<([^>]+)>; rel="(\w+)"', reply.headers.get("link", ""))}


@dataclass(frozen=True)
class Canvas:
    """The Canvas of a sandbox, with its token."""

    sandbox: SandboxProcess
    token: str

    @classmethod
    def of(cls, sandbox: SandboxProcess) -> Canvas:
        return cls(sandbox, sandbox.info()["lms"]["token"])

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        """A request; a query parameter that is a list is sent as `name[]`, once for each of its values."""
        pairs = [
            (f"{name}[]", part) if isinstance(value, list) else (name, part)
            for name, value in query.items()
            for part in (value if isinstance(value, list) else [value])
        ]
        address = path if path.startswith("http") else self.sandbox.url + path
        url = address + (f"?{urlencode(pairs)}" if pairs else "")
        return request(method, url, body, {"Authorization": f"Bearer {self.token}"})

    def get(self, path: str, **query: Any) -> Reply:
        return self.send("GET", path, **query)

    def everything(self, path: str, **query: Any) -> list[Any]:
        """What all pages hold, by following the links."""
        reply = self.get(path, **{"per_page": 100} | query)
        assert reply.status == 200, reply.text
        found = reply.json
        while following := links(reply).get("next"):
            reply = self.get(following)
            found += reply.json
        return found

    def change(self, path: str, **body: Any) -> Any:
        return self.sandbox.control("PATCH", f"/canvas/{path}", body)

    def submissions(self, course: int | str, **query: Any) -> list[Any]:
        """The rows of a course, one a student."""
        path = f"/api/v1/courses/{course}/students/submissions"
        return self.everything(path, **{"student_ids": ["all"], "grouped": 1} | query)

    def of_workshop(self, assignment: int, **query: Any) -> dict[int, dict[str, Any]]:
        """Number of a student in the workshop → what they have on an assignment."""
        rows = self.submissions(WORKSHOP, assignment_ids=[assignment], **query)
        return {number: row["submissions"][0] for number, row in enumerate(rows, 1) if row["submissions"]}
