"""What a SIS's answer means: the one place that turns a response, or the lack of one, into a decision.

Statuses: OneRoster 1.2 gradebook, section on errors, and what servers in the field were seen to send.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS_KEPT: Final = 300
_REPLY_READ: Final = 65_536  # characters of an answer in which the SIS's words are looked for

_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_NOT_OFFERED: Final = (501, 505)  # the server's, but for good
_COME_BACK: Final = (408, 425, 429)  # the client's, but only for now
_TOO_MANY: Final = 429
_GONE: Final = (404, 410)

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
_FAILED: Final = ("failure", "unsupported")  # code majors
# Code minors of 1.1, 1.2 and of servers in the field that tell of the server, not of the record.
_PASSING: Final = frozenset(
    {
        "internal_server_error",
        "linkfailure",
        "rate_limit_exceeded",
        "server_busy",
        "server_error",
        "targetreadfailure",
    }
)
_CROWDED: Final = frozenset({"rate_limit_exceeded", "server_busy"})


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
        uncertain: Whether it is open if the SIS has done what it was asked. A write that is to be tried again
            later and is not uncertain was surely not done.
        timed_out: Whether no answer came in time, so that the SIS may do it even later.
        allotted: The ids that the SIS allotted to what it was sent, by the ids they were sent with, as far as
            it told them.
    """

    decision: Decision
    status: int
    words: str = ""
    retry_after: float | None = None
    uncertain: bool = False
    timed_out: bool = False
    allotted: Mapping[str, str] = field(default_factory=dict, hash=False)


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
        return _of_success(status, body, writes=writes) if body else _accepted(status, writes=writes)
    words = words_of(body)
    code = code_minor_of(body)
    crowded = code in _CROWDED or (
        # Not the permission: PowerSchool.
        status == _FORBIDDEN and bool(re.search(r"rate.?limit", words, flags=re.IGNORECASE))
    )
    if status in _COME_BACK or crowded or (status >= 500 and status not in _NOT_OFFERED):  # noqa: PLR2004
        retry_after = seconds_to_wait(headers.get("Retry-After", ""), now=now)
        turned_away = status == _TOO_MANY or (crowded and status < 500)  # noqa: PLR2004
        uncertain = writes and not turned_away
        return Answer(Decision.RETRY_LATER, status, words, retry_after, uncertain=uncertain)
    if status == _UNAUTHORISED or status < 400:  # noqa: PLR2004 - a redirect: never followed with a token
        return Answer(Decision.STOP_RUN, status, words)
    return Answer(Decision.REFUSE_ROW, status, words)


def deleted(answer: Answer) -> Answer:
    """What the answer to a DELETE means: what is not there is deleted."""
    if answer.decision is Decision.VERIFY or (
        answer.decision is Decision.REFUSE_ROW and answer.status in _GONE
    ):
        return replace(answer, decision=Decision.DONE)
    return answer


def lost(what: str, *, sent: bool = True, timed_out: bool = False) -> Answer:
    """No answer came: the SIS may or may not have done what it was asked, if that was sent at all.

    Args:
        what: What befell it, in words without a student's data.
        sent: Whether the SIS may have got the request.
        timed_out: Whether it was sent, and may yet be done.
    """
    return Answer(Decision.RETRY_LATER, 0, f"no answer: {what}", uncertain=sent, timed_out=sent and timed_out)


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
    found = _first_texts(content)
    words = next((found[key] for key in _WORDY_KEYS if found.get(key)), "")
    code = next((found[key] for key in _CODE_KEYS if found.get(key)), "")
    if not words and not code:
        words = next((value for value in found.values() if value), "")
    return one_line(f"{words} ({code})" if words and code and code != words else words or code)


def code_minor_of(body: bytes) -> str:
    """The code minor in an error's body, in lower case and whatever its shape; empty if there is none."""
    if b"imsx_" not in body[:_REPLY_READ]:
        return ""
    try:
        found = _first_texts(json.loads(body))
    except (ValueError, RecursionError):
        return ""
    return next((found[key] for key in _CODE_KEYS[:2] if found.get(key)), "").strip().lower()


def one_line(text: str) -> str:
    """`text` without control characters, on one line, cut to what is kept."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    words = " ".join(printable.split())
    return words if len(words) <= _WORDS_KEPT else words[: _WORDS_KEPT - 1] + "…"


@lru_cache(maxsize=16)  # nearly every answer of a night is one of these
def _accepted(status: int, *, writes: bool) -> Answer:
    return Answer(Decision.VERIFY if writes else Decision.DONE, status)


def _of_success(status: int, body: bytes, *, writes: bool) -> Answer:
    """What a body means that came under a status of success.

    A page of HTML under a write is a login or maintenance page of something before the SIS. It says nothing
    of the record, so that it is no refusal, and it may be gone the next time.
    """
    if writes and _is_page(body):
        return Answer(Decision.RETRY_LATER, status, words_of(body), uncertain=True)
    if not _tells_of_failure(body, writes=writes):
        return _accepted(status, writes=writes)
    passing = code_minor_of(body) in _PASSING
    decision = Decision.RETRY_LATER if passing else Decision.REFUSE_ROW
    return Answer(decision, status, words_of(body), uncertain=writes and passing)


def _is_page(body: bytes) -> bool:
    start = body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") and not start.startswith(b"<?xml")


def _tells_of_failure(body: bytes, *, writes: bool) -> bool:
    """Whether a server reports a failure under a status of success."""
    lower = body.lower()
    if not any(sign in lower for sign in (b"failure", b"unsupported", b"error")):
        return False
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if writes and isinstance(content, dict) and (content.get("error") or content.get("errors")):
        return True
    return any(
        (key == "imsx_codemajor" and value.lower() in _FAILED)
        or (key == "imsx_severity" and value.lower() == "error")
        for key, value in _texts(content)
    )


def _first_texts(content: Any) -> dict[str, str]:
    """The outermost text under each key."""
    found = dict[str, str]()
    for key, value in _texts(content):
        found.setdefault(key, value)
    return found


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
