"""What a SIS's answer means: the one place that turns a response, or the lack of one, into a decision.

Statuses: OneRoster 1.2 gradebook, section on errors, and what servers in the field were seen to send.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS_KEPT: Final = 300
_REPLY_READ: Final = 65_536  # characters of an answer in which the SIS's words are looked for

_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_OFFERED: Final = (501, 505)  # the server's, but for good
_COME_BACK: Final = (408, 425, 429)  # the client's, but only for now

# Where the words stand, the most telling first, and the first that is text wins. In the order of meeting:
# OneRoster 1.2; OAuth 2; RFC 7807; ASP.NET; plain JSON.
_WORDY_KEYS: Final = (
    "imsx_description",
    "error_description",
    "detail",
    "message",
    "title",
    "error",
    "errors",
)
_CODE_KEYS: Final = ("imsx_codeminorfieldvalue", "imsx_codeminor", "imsx_codemajor")


class Decision(StrEnum):
    """What to do after an answer."""

    DONE = "done"  # a read or a delete is answered
    VERIFY = "verify"  # a write is accepted: read back before it counts
    RETRY_LATER = "retry_later"
    REFUSE_ROW = "refuse_row"  # this record will not pass until somebody acts; the others may
    STOP_RUN = "stop_run"  # no record will pass


@dataclass(frozen=True)
class Answer:
    """A SIS's answer to one request.

    Attributes:
        decision: What to do now.
        status: The HTTP status; 0 when no answer came.
        words: The SIS's own words, or what befell the connection: one line, at most 300 characters.
        retry_after: Seconds the SIS asked to wait, if it did.
    """

    decision: Decision
    status: int
    words: str = ""
    retry_after: float | None = None


def answer_of(
    status: int, headers: Mapping[str, str], body: bytes, *, writes: bool, now: datetime | None = None
) -> Answer:
    """What the response to a request means.

    Args:
        status: HTTP status.
        headers: Response headers, looked up without regard to case by the mapping itself.
        body: The response's body as it came.
        writes: Whether the request was to store something.
        now: The time from which a date in Retry-After is counted; the present if left out.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
        if body and (words := _failure_within_success(body)):
            return Answer(Decision.REFUSE_ROW, status, words)
        return Answer(Decision.VERIFY if writes else Decision.DONE, status)
    words = words_of(body)
    retry_after = seconds_to_wait(headers.get("Retry-After", ""), now=now)
    if status in _COME_BACK or (status >= 500 and status not in _NOT_OFFERED):  # noqa: PLR2004
        return Answer(Decision.RETRY_LATER, status, words, retry_after)
    if status == _FORBIDDEN and re.search(r"rate.?limit", words, flags=re.IGNORECASE):
        return Answer(Decision.RETRY_LATER, status, words, retry_after)  # not the permission: PowerSchool
    if status == _UNAUTHORISED or status < 400:  # noqa: PLR2004 - a redirect: never followed with a token
        return Answer(Decision.STOP_RUN, status, words)
    return Answer(Decision.REFUSE_ROW, status, words)


def lost(cause: BaseException) -> Answer:
    """No answer came: the SIS may or may not have done what it was asked."""
    return Answer(Decision.RETRY_LATER, 0, f"no answer: {type(cause).__name__}")


def seconds_to_wait(retry_after: str, *, now: datetime | None = None) -> float | None:
    """Retry-After in seconds, from seconds or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    text = retry_after.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def words_of(body: bytes) -> str:
    """What the SIS says in an error's body, whatever its shape: on one line, at most 300 characters.

    Known shapes: a bare imsx_StatusInfo, one wrapped in `imsx_StatusInfo` or listed in `statusInfoSet`, code
    minor as an object or as text, OAuth 2 errors, RFC 7807, ASP.NET's `Message`, `{"error": …}`, HTML, text.
    """
    text = body.decode("utf-8", errors="replace")[:_REPLY_READ].strip()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return one_line(_without_markup(text))
    found = dict[str, str]()
    for key, value in _texts(content):
        found.setdefault(key, value)
    words = next((found[key] for key in _WORDY_KEYS if found.get(key)), "")
    code = next((found[key] for key in _CODE_KEYS if found.get(key)), "")
    if not words and not code:
        words = next((value for value in found.values() if value), "")
    return one_line(f"{words} ({code})" if words and code and code != words else words or code)


def one_line(text: str) -> str:
    """`text` without control characters, on one line, cut to what is kept."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    words = " ".join(printable.split())
    return words if len(words) <= _WORDS_KEPT else words[: _WORDS_KEPT - 1] + "…"


def _failure_within_success(body: bytes) -> str:
    """The words of a failure that a server reports under a status of success."""
    if b"failure" not in body and b"unsupported" not in body:
        return ""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    majors = [value for key, value in _texts(content) if key == "imsx_codemajor"]
    return words_of(body) if any(major in ("failure", "unsupported") for major in majors) else ""


def _texts(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with the lower-case key it stands under, outermost first."""
    if isinstance(content, str):
        yield key, content
    elif isinstance(content, dict):
        nested = []
        for name, value in content.items():
            if isinstance(value, str):
                yield str(name).lower(), value
            else:
                nested.append((str(name).lower(), value))
        for name, value in nested:
            yield from _texts(value, name)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value, key)


def _without_markup(text: str) -> str:
    if not text.startswith("<"):
        return text
    title = re.search(r"<title[^>]*>(.*?)</title>", text, flags=re.IGNORECASE | re.DOTALL)
    if title and title[1].strip():
        return title[1]
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.IGNORECASE | re.DOTALL)
    return re.sub(r"<[^>]*>", " ", bare)
