"""What every answer of Canvas has in common: its token, its limits, its errors, its pages."""

from __future__ import annotations

import base64
import hmac
import json
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlencode

from sandbox import canvas_store, canvas_throttle
from sandbox.exchange import Answer, RefusedError, answer, dumps
from sandbox.store import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.datastructures import QueryParams

    from sandbox.canvas_store import Record
    from sandbox.exchange import Action, Call

# What a district or Canvas itself can switch, kept among the sandbox's settings.
SETTINGS: Final[dict[str, Any]] = {
    "canvas_throttle": canvas_throttle.DEFAULTS,
    "canvas_grade_export": True,
    "canvas_view_all_grades": True,
    "canvas_read_sis": True,
    "canvas_manage_assignments": True,
}

_PER_PAGE: Final = 10
_MAX_PER_PAGE: Final = 100
_TRUE: Final = frozenset({"true", "1", "on", "yes", "t", "y"})


def canvas_settings(call: Call) -> dict[str, Any]:
    """The settings of Canvas as they stand."""
    kept = settings(call.sandbox.connection)
    found = {name: kept.get(name, default) for name, default in SETTINGS.items()}
    return found | {"canvas_throttle": canvas_throttle.DEFAULTS | found["canvas_throttle"]}


# --- Refusals ---


def error(status: int, message: str, /, **more: Any) -> RefusedError:
    """A refusal as Canvas words them."""
    return RefusedError(answer({"errors": [{"message": message}], **more}, status))


def not_found() -> RefusedError:
    """404: there is no such thing, or the caller may not know of it."""
    return error(404, "The specified resource does not exist.")


def require(call: Call, permission: str) -> None:
    """Let a call pass whose caller has a permission: one of `SETTINGS`.

    Raises:
        RefusedError: the caller has not (403, in JSON, unlike the rate limit).
    """
    if not canvas_settings(call)[permission]:
        raise error(403, "user not authorized to perform that action", status="unauthorized")


def _token(call: Call) -> str:
    """The caller's token, as a header or as the query parameter `access_token`."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else call.query.get("access_token", "")
    if not token:
        refusal = error(401, "user authorization required", status="unauthenticated")
    elif hmac.compare_digest(token.encode(), settings(call.sandbox.connection)["feed_token"].encode()):
        return token
    else:
        refusal = error(401, "Invalid access token.")
    refusal.answer.headers["WWW-Authenticate"] = 'Bearer realm="canvas-lms"'
    raise refusal


def _items(found: Answer) -> int:
    """How many things an answer holds, for what it costs."""
    return found.body.count('"id":') + found.body.count('"assignment_id":')


def metered(action: Action) -> Action:
    """The action behind the token and the rate limit."""

    def serve(call: Call) -> Answer:
        connection = call.sandbox.connection
        limits = canvas_settings(call)["canvas_throttle"]
        bucket = canvas_throttle.reserve(connection, _token(call), limits)
        if bucket.full:
            raise RefusedError(canvas_throttle.exceeded(bucket))
        try:
            found = action(call)
        except RefusedError as refusal:
            found = refusal.answer  # a refused read costs too, so nothing is rolled back
        found.headers.update(canvas_throttle.release(connection, bucket, _items(found)))
        return found

    return serve


# --- Parameters ---


def values(call: Call, name: str) -> list[str]:
    """A parameter that may be given several times: `name[]=a&name[]=b`, or once as `name=a`."""
    query = cast("QueryParams", call.query)
    return [*query.getlist(f"{name}[]"), *query.getlist(name)]


def switched_on(call: Call, name: str) -> bool:
    """A yes-or-no parameter."""
    return call.query.get(name, "").lower() in _TRUE


def form(call: Call) -> Record:
    """The parameters of a body, as JSON or as a form with `integration_data[sis_term_id]=9102`."""
    if "json" in call.headers.get("content-type", ""):
        try:
            found = json.loads(call.body or b"{}")
        except ValueError:
            raise error(400, "The body is not JSON.") from None
        if not isinstance(found, dict):
            raise error(400, "The body is not a JSON object.")
        return found
    nested: Record = {}
    for name, value in parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True):
        outer, bracket, inner = name.partition("[")
        if bracket and isinstance(nested.setdefault(outer, {}), dict):
            nested[outer][inner.removesuffix("]")] = value
        else:
            nested[outer] = value
    return nested


def found_by_id(call: Call, kind: str, text: str) -> Record:
    """A record by its Canvas id, or by its SIS id as `sis_course_id:1001-01`, also in hexadecimal.

    Raises:
        RefusedError: there is none (404).
    """
    connection = call.sandbox.connection
    if text == "self" and kind == "account":
        text = "1"
    if text.isascii() and text.isdigit():
        found = canvas_store.find(connection, kind, int(text))
    else:
        name, _, value = text.removeprefix("hex:").partition(":")
        if text.startswith("hex:"):
            try:
                value = bytes.fromhex(value).decode()
            except ValueError:
                raise not_found() from None
        known = name == canvas_store.SIS_ID.get(kind) and canvas_settings(call)["canvas_read_sis"]
        found = canvas_store.find_by_sis_id(connection, kind, value) if known else None
    if found is None or found.get("workflow_state") == "deleted":
        raise not_found()
    return found


# --- Pages ---


def _per_page(call: Call) -> int:
    text = call.query.get("per_page", "")
    asked = int(text) if text.isascii() and text.isdigit() else _PER_PAGE
    return max(1, min(asked, _MAX_PER_PAGE))


def _link(call: Call, pages: dict[str, str | int]) -> str:
    query = cast("QueryParams", call.query)
    left_out = {"page", "per_page", "access_token"}
    rest = [(name, value) for name, value in query.multi_items() if name not in left_out]
    address = f"{call.sandbox.base_url}{call.path}"
    return ",".join(
        f'<{address}?{urlencode([*rest, ("page", page), ("per_page", _per_page(call))])}>; rel="{name}"'
        for name, page in pages.items()
    )


def numbered_page(
    call: Call, total: int, fetch: Callable[[int, int], Iterable[Any]], header: str = "Link"
) -> Answer:
    """A page of a listing whose pages are numbered; its links say the last one.

    Args:
        call: The request.
        total: How many items there are.
        fetch: Gives the items from an offset on, at most as many as its second argument says.
        header: The name of the header that holds the links, in the case it is sent in.
    """
    text, per_page = call.query.get("page", ""), _per_page(call)
    page = max(1, int(text)) if text.isascii() and text.isdigit() else 1
    last = max(1, -(-total // per_page))
    pages: dict[str, str | int] = {"current": page}
    if page < last:
        pages["next"] = page + 1
    if page > 1:
        pages["prev"] = page - 1
    found = Answer(200, dumps(list(fetch((page - 1) * per_page, per_page))))
    found.headers[header] = _link(call, pages | {"first": 1, "last": last})
    return found


def listed(call: Call, items: Sequence[Any], header: str = "Link") -> Answer:
    """A numbered page of items that are all at hand."""
    return numbered_page(call, len(items), lambda offset, limit: items[offset : offset + limit], header)


def _bookmark(position: int) -> str:
    return "bookmark:" + base64.urlsafe_b64encode(dumps([position]).encode()).decode().rstrip("=")


def _position(call: Call) -> int:
    """The position that a bookmark stands for; what is no bookmark means the first page."""
    text = call.query.get("page", "")
    try:
        encoded = text.removeprefix("bookmark:")
        (position,) = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, TypeError):
        return 0
    return int(position) if text.startswith("bookmark:") else 0


def bookmarked_page(
    call: Call,
    fetch: Callable[[int, int], Sequence[tuple[int, Any]]],
    header: str = "Link",
) -> Answer:
    """A page of a listing too long to count: its links hold bookmarks, and none says the last page.

    Args:
        call: The request.
        fetch: Gives positions and items after a position, at most as many as its second argument says; an
            item that is None is left out of its page.
        header: The name of the header that holds the links, in the case it is sent in.
    """
    text, per_page = call.query.get("page", "first"), _per_page(call)
    rows = fetch(_position(call), per_page + 1)
    pages: dict[str, str | int] = {"current": text}
    if len(rows) > per_page:
        pages["next"] = _bookmark(rows[per_page - 1][0])
    found = Answer(200, dumps([item for _, item in rows[:per_page] if item is not None]))
    found.headers[header] = _link(call, pages | {"first": "first"})
    return found
