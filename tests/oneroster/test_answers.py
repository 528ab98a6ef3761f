"""What an answer of a SIS means, whatever its shape."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passback.oneroster import Decision
from passback.oneroster.answers import answer_of, deleted, lost, one_line, seconds_to_wait, words_of

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


SHAPES = [
    lambda minor: {
        "imsx_codeMajor": "failure",
        "imsx_CodeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": minor}]},
    },
    lambda minor: {
        "imsx_codeMajor": "failure",
        "imsx_codeMinor": {"imsx_codeMinorField": [{"imsx_codeMinorFieldValue": minor}]},
    },
    lambda minor: {"imsx_StatusInfo": {"imsx_codeMajor": "failure", "imsx_codeMinor": minor}},
    lambda minor: {"statusInfoSet": [{"imsx_codeMajor": "failure", "imsx_codeMinor": minor}]},
]


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
        (410, Decision.REFUSE_ROW),
        (408, Decision.RETRY_LATER),
        (409, Decision.REFUSE_ROW),
        (422, Decision.REFUSE_ROW),
        (425, Decision.RETRY_LATER),
        (429, Decision.RETRY_LATER),
        (500, Decision.RETRY_LATER),
        (501, Decision.REFUSE_ROW),
        (502, Decision.RETRY_LATER),
        (503, Decision.RETRY_LATER),
        (504, Decision.RETRY_LATER),
        (505, Decision.REFUSE_ROW),
        (520, Decision.RETRY_LATER),
    ],
)
def test_a_status_decides_what_becomes_of_a_write(status: int, decision: Decision) -> None:
    assert answer_of(status, {}, b"", writes=True).decision is decision


def test_a_403_that_speaks_of_the_rate_is_no_matter_of_permission() -> None:
    assert answer_of(403, {}, b"403 Forbidden Rate Limit", writes=True).decision is Decision.RETRY_LATER
    assert answer_of(403, {}, b"Forbidden", writes=True).decision is Decision.REFUSE_ROW


@pytest.mark.parametrize(
    ("status", "body", "uncertain"),
    [
        (429, b"", False),
        (403, b"Rate limit exceeded", False),
        (400, b'{"imsx_codeMinor": "server_busy"}', False),
        (408, b"", True),
        (425, b"", True),
        (500, b"", True),
        (502, b"", True),
        (503, b"", True),
        (503, b'{"imsx_codeMinor": "server_busy"}', True),
        (504, b"", True),
    ],
)
def test_only_what_was_turned_away_was_surely_not_done(status: int, body: bytes, *, uncertain: bool) -> None:
    answer = answer_of(status, {}, body, writes=True)
    assert (answer.decision, answer.uncertain) == (Decision.RETRY_LATER, uncertain)
    assert not answer_of(status, {}, body, writes=False).uncertain


@pytest.mark.parametrize(
    ("status", "minor", "decision"),
    [
        # OneRoster 1.2
        (400, "invalid_filter_field", Decision.REFUSE_ROW),
        (400, "invalid_selection_field", Decision.REFUSE_ROW),
        (422, "invaliddata", Decision.REFUSE_ROW),
        (401, "unauthorisedrequest", Decision.STOP_RUN),
        (403, "forbidden", Decision.REFUSE_ROW),
        (404, "unknownobject", Decision.REFUSE_ROW),
        (422, "deletefailure", Decision.REFUSE_ROW),
        (429, "server_busy", Decision.RETRY_LATER),
        (400, "server_busy", Decision.RETRY_LATER),
        (500, "internal_server_error", Decision.RETRY_LATER),
        # OneRoster 1.1
        (400, "invalid_sort_field", Decision.REFUSE_ROW),
        (400, "unsupportedoperation", Decision.REFUSE_ROW),
        (500, "linkfailure", Decision.RETRY_LATER),
        (500, "targetreadfailure", Decision.RETRY_LATER),
        # in the field
        (400, "invalid_data", Decision.REFUSE_ROW),
        (403, "rate_limit_exceeded", Decision.RETRY_LATER),
        (500, "server_error", Decision.RETRY_LATER),
        # a failure under a status of success
        (200, "invaliddata", Decision.REFUSE_ROW),
        (200, "unknownobject", Decision.REFUSE_ROW),
        (200, "unauthorisedrequest", Decision.REFUSE_ROW),
        (200, "server_busy", Decision.RETRY_LATER),
        (200, "internal_server_error", Decision.RETRY_LATER),
        (200, "linkfailure", Decision.RETRY_LATER),
        (200, "fullsuccess", Decision.REFUSE_ROW),  # the major says failure
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_code_minor_decides_where_the_status_does_not(
    status: int, minor: str, decision: Decision, shape: Any
) -> None:
    body = json.dumps(shape(minor)).encode()
    assert answer_of(status, {}, body, writes=True).decision is decision


def test_a_deletion_is_done_where_nothing_is_left() -> None:
    for status, decision in ((204, Decision.DONE), (404, Decision.DONE), (405, Decision.REFUSE_ROW)):
        assert deleted(answer_of(status, {}, b"", writes=True)).decision is decision
    assert deleted(answer_of(500, {}, b"", writes=True)).decision is Decision.RETRY_LATER
    busy = b'{"imsx_codeMajor": "failure", "imsx_codeMinor": "deletefailure"}'
    assert deleted(answer_of(200, {}, busy, writes=True)).decision is Decision.REFUSE_ROW


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><title>Log in</title>",
        b"\xef\xbb\xbf\r\n <html><title>Log in</title></html>",
        b"<title>Log in</title>",
    ],
)
def test_a_page_of_html_is_no_success_of_a_write_nor_a_refusal_of_its_record(body: bytes) -> None:
    answer = answer_of(200, {}, body, writes=True)
    assert (answer.decision, answer.uncertain) == (Decision.RETRY_LATER, True)
    assert "Log in" in answer.words
    assert answer_of(200, {}, body, writes=False).decision is Decision.DONE  # a listing is read, and tells


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        ({"error": "Not found"}, Decision.REFUSE_ROW),
        ({"errors": ["title: too long"]}, Decision.REFUSE_ROW),
        ({"imsx_codeMajor": "Failure", "imsx_severity": "Error"}, Decision.REFUSE_ROW),
        ({"imsx_codeMajor": "unsupported"}, Decision.REFUSE_ROW),
        ({"imsx_severity": "error"}, Decision.REFUSE_ROW),
        ({"errors": [], "error": None}, Decision.VERIFY),
        ({"result": {"comment": "error", "metadata": {"error": "x"}}}, Decision.VERIFY),
        ({"lineItem": {"title": "Unsupported claims"}}, Decision.VERIFY),
        (["error"], Decision.VERIFY),
    ],
)
def test_an_error_under_a_status_of_success_is_told_from_an_echo(body: Any, decision: Decision) -> None:
    assert answer_of(200, {}, json.dumps(body).encode(), writes=True).decision is decision


@pytest.mark.parametrize("body", [b"error", b'{"error', b"[" * 60_000 + b"error"])
def test_what_cannot_be_read_under_a_status_of_success_is_left_to_the_reading_back(body: bytes) -> None:
    assert answer_of(200, {}, body, writes=True).decision is Decision.VERIFY


def test_an_answered_read_is_done_and_needs_no_reading_back() -> None:
    assert answer_of(200, {}, b'{"classes": []}', writes=False).decision is Decision.DONE


def test_no_answer_may_or_may_not_have_reached_the_sis() -> None:
    answer = lost("the connection broke")
    assert (answer.decision, answer.status, answer.words) == (
        Decision.RETRY_LATER,
        0,
        "no answer: the connection broke",
    )
    assert (answer.uncertain, answer.timed_out) == (True, False)
    late = lost("not in time", timed_out=True)
    assert (late.uncertain, late.timed_out) == (True, True)
    unsent = lost("no connection: operation timed out", sent=False, timed_out=True)
    assert (unsent.uncertain, unsent.timed_out) == (False, False)


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
