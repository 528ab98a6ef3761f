"""What an answer of a SIS means, whatever its shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster import Decision
from passback.oneroster.answers import answer_of, lost, one_line, seconds_to_wait, words_of

STATUS_INFO = {
    "imsx_codeMajor": "failure",
    "imsx_severity": "error",
    "imsx_description": "The grading period is closed.",
    "imsx_CodeMinor": {
        "imsx_codeMinorField": [
            {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": "invaliddata"}
        ]
    },
}


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        (200, Decision.VERIFY),
        (201, Decision.VERIFY),
        (204, Decision.VERIFY),
        (301, Decision.STOP_RUN),
        (307, Decision.STOP_RUN),
        (400, Decision.REFUSE_ROW),
        (401, Decision.STOP_RUN),
        (403, Decision.REFUSE_ROW),
        (404, Decision.REFUSE_ROW),
        (405, Decision.REFUSE_ROW),
        (408, Decision.RETRY_LATER),
        (409, Decision.REFUSE_ROW),
        (422, Decision.REFUSE_ROW),
        (429, Decision.RETRY_LATER),
        (500, Decision.RETRY_LATER),
        (501, Decision.REFUSE_ROW),
        (502, Decision.RETRY_LATER),
        (503, Decision.RETRY_LATER),
        (504, Decision.RETRY_LATER),
        (520, Decision.RETRY_LATER),
    ],
)
def test_a_status_decides_what_becomes_of_a_write(status: int, decision: Decision) -> None:
    assert answer_of(status, {}, b"", writes=True).decision is decision


def test_a_403_that_speaks_of_the_rate_is_no_matter_of_permission() -> None:
    assert answer_of(403, {}, b"403 Forbidden Rate Limit", writes=True).decision is Decision.RETRY_LATER
    assert answer_of(403, {}, b"Forbidden", writes=True).decision is Decision.REFUSE_ROW


def test_an_answered_read_is_done_and_needs_no_reading_back() -> None:
    assert answer_of(200, {}, b'{"classes": []}', writes=False).decision is Decision.DONE


def test_no_answer_may_or_may_not_have_reached_the_sis() -> None:
    answer = lost(ConnectionResetError("10.0.0.1 said no"))
    assert (answer.decision, answer.status, answer.words) == (
        Decision.RETRY_LATER,
        0,
        "no answer: ConnectionResetError",
    )


def test_a_failure_under_a_status_of_success_is_a_refusal() -> None:
    body = json.dumps({"statusInfoSet": [STATUS_INFO]}).encode()
    answer = answer_of(200, {}, body, writes=True)
    assert (answer.decision, answer.words) == (
        Decision.REFUSE_ROW,
        "The grading period is closed. (invaliddata)",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"imsx_codeMajor": "success", "imsx_severity": "warning", "imsx_description": "no such sort field"},
        {"lineItem": {"title": "On failure"}},
    ],
)
def test_a_warning_or_an_echo_under_a_status_of_success_is_none(body: Any) -> None:
    assert answer_of(200, {}, json.dumps(body).encode(), writes=True).decision is Decision.VERIFY


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (STATUS_INFO, "The grading period is closed. (invaliddata)"),
        ({"imsx_StatusInfo": STATUS_INFO}, "The grading period is closed. (invaliddata)"),
        (
            {"statusInfoSet": [{"imsx_description": "Bad filter", "imsx_codeMinor": "invalid_filter_field"}]},
            "Bad filter (invalid_filter_field)",
        ),
        ({"imsx_codeMajor": "failure", "imsx_codeMinor": "rate_limit_exceeded"}, "rate_limit_exceeded"),
        (
            {
                "imsx_description": "Unknown class",
                "imsx_codeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": "unknownobject"}]},
            },
            "Unknown class (unknownobject)",
        ),
        ({"error": "Not found"}, "Not found"),
        ({"error": "invalid_client", "error_description": "No such client"}, "No such client"),
        ({"error": {"code": 17, "message": "The gradebook is locked"}}, "The gradebook is locked"),
        (
            {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "Already there"},
            "Already there",
        ),
        ({"Message": "An error has occurred."}, "An error has occurred."),
        ({"errors": ["dueDate: closed", "title: long"]}, "dueDate: closed"),
        (["just a text"], "just a text"),
        ("just a text", "just a text"),
        ({"code": "E42"}, "E42"),
        ({}, ""),
        (17, ""),
    ],
)
def test_the_sis_words_are_found_in_every_shape_of_error(body: Any, words: str) -> None:
    assert words_of(json.dumps(body).encode()) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"plain text", "plain text"),
        (
            b"<html><head><title>502 Bad\nGateway</title></head><body><h1>nginx</h1></body></html>",
            "502 Bad Gateway",
        ),
        (b"<!doctype html><style>h1 {}</style><h1>Sorry</h1><p>Down.</p>", "Sorry Down."),
        (b'{"error": "half', '{"error": "half'),
        (b"\xff\xfe odd bytes", "�� odd bytes"),
        (b'{"error": "two\\nlines\\u0000 and \\ud800 more"}', "two lines and more"),
    ],
)
def test_words_are_found_in_what_is_no_json_too(body: bytes, words: str) -> None:
    assert words_of(body) == words


@given(
    st.binary(max_size=500) | st.text(max_size=2000).map(lambda text: json.dumps({"error": text}).encode())
)
def test_words_are_one_printable_line_of_at_most_300_characters(body: bytes) -> None:
    words = words_of(body)
    assert len(words) <= 300
    assert words.isprintable()
    words.encode()  # no half of a pair of surrogates: PostgreSQL would refuse it


def test_a_deeply_nested_error_harms_nobody() -> None:
    assert words_of(b"[" * 60_000) != ""


def test_long_words_end_in_an_ellipsis() -> None:
    assert one_line("x" * 301) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-3", None),
        ("soon", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds
