"""A learning platform that offers its gradebook as a OneRoster provider, 1.1 and 1.2, to read only.

It shows the records of the feed. Classes and people carry the SIS's ids, as most platforms keep them from the
SIS's own roster; categories, line items and results carry the platform's.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote_plus, urlencode

from sandbox import tokens
from sandbox.exchange import (
    Answer,
    Call,
    RefusedError,
    Route,
    answer,
    connection_to,
    dumps,
    object_of,
    refused,
)
from sandbox.instants import microseconds
from sandbox.lms_records import (
    BASES,
    CLASS_ID,
    LISTINGS,
    SCHOOL,
    YEAR,
    categories,
    milliseconds,
    reference,
    sis_ids,
)
from sandbox.oneroster import failure, not_found
from sandbox.store import keep_settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.exchange import Action
    from sandbox.lms_records import Listing

CLIENT_ID: Final = "passback-lms"
TOKEN_PATH: Final = "/lms/token"  # noqa: S105 - a path
_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 1000
_COMPARISON: Final = re.compile(r"\s*([A-Za-z.]+)\s*(!=|>=|<=|=|>|<)\s*'([^']*)'\s*")
# The types of the assessments, everybody's or a class's.
_CATEGORIES: Final = f"""
    SELECT json_extract(record, '$.type') AS type, max(json_extract(record, '$.modified_at'))
    FROM feed_records WHERE collection = 'assessments' AND deleted = 0
    AND (:class_id = '' OR {CLASS_ID} = :class_id) GROUP BY type ORDER BY type
"""  # noqa: S608 - made of constants
_SCOPE: Final = re.compile(r"https://purl\.imsglobal\.org/spec/or/v1p[12]/scope/([a-z.-]+)")


# --- Requests ---


def _credentials(call: Call, form: dict[str, list[str]]) -> tuple[str, str]:
    """Client id and secret, from the Basic header (each form-urlencoded, RFC 6749 §2.3.1) or the form."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise RefusedError(tokens.bad_secret()) from None
    return unquote_plus(client_id), unquote_plus(secret)


def give_token(call: Call) -> Answer:
    """POST /lms/token: client credentials by HTTP Basic or in the form; no scope asked for means all."""
    form = parse_qs(call.body.decode(errors="replace"), keep_blank_values=True)
    client_id, secret = _credentials(call, form)
    expected = settings(call.sandbox.connection)["feed_token"]
    if client_id != CLIENT_ID or not hmac.compare_digest(secret.encode(), expected.encode()):
        raise RefusedError(tokens.bad_secret())
    if form.get("grant_type") != ["client_credentials"]:
        raise RefusedError(answer({"error": "unsupported_grant_type"}, 400))
    asked = form.get("scope", [""])[0].split()
    names = [found[1] for scope in asked if (found := _SCOPE.fullmatch(scope))]
    if asked and not names:
        raise RefusedError(answer({"error": "invalid_scope"}, 400))
    token, seconds = secrets.token_urlsafe(32), settings(call.sandbox.connection)["token_seconds"]
    granted = " ".join(names or ["roster.readonly", "gradebook.readonly"])
    # Under a name of its own, so that the SIS does not take it for one of its tokens.
    call.sandbox.connection.execute(
        "INSERT INTO tokens VALUES (?, ?, ?)", (f"lms {token}", granted, time.time() + seconds)
    )
    body = {"access_token": token, "token_type": "Bearer", "expires_in": seconds}
    return Answer(
        200, dumps(body | {"scope": " ".join(asked)} if asked else body), {"Cache-Control": "no-store"}
    )


def _require(call: Call, *, gradebook: bool) -> None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    row = call.sandbox.connection.execute(
        "SELECT scope, expires_at FROM tokens WHERE token = ?", (f"lms {token.strip()}",)
    ).fetchone()
    if scheme.lower() != "bearer" or row is None or row[1] <= time.time():
        raise failure(401, "unauthorisedrequest", "The access token is missing, expired or revoked.")
    area = "gradebook" if gradebook else "roster"
    wanted = {f"{area}.readonly", f"{area}-core.readonly"}
    if not wanted & set(row[0].split()):
        raise failure(403, "forbidden", "The access token does not carry the scope of this operation.")


def _number(call: Call, name: str, default: int, least: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise failure(400, "invaliddata", f"{name} is not a whole number from {least}.")
    return int(text)


def _condition(found: Listing, text: str) -> tuple[str, list[Any]]:
    """The `filter` parameter in SQL: comparisons joined by AND."""
    conditions, arguments = [], []
    for part in re.split(r"\s+AND\s+", text, flags=re.IGNORECASE) if text else []:
        parts = _COMPARISON.fullmatch(part)
        if parts is None or parts[1] not in found.fields:
            known = ", ".join(found.fields)
            raise failure(400, "invalid_filter_field", f"filter: comparisons of {known}, joined by AND.")
        value: Any = parts[3]
        column = found.fields[parts[1]]
        if parts[1] == "dateLastModified":
            value, column = microseconds(value), "modified_at / 1000 * 1000"  # records show milliseconds
            if value is None:
                raise failure(400, "invalid_filter_field", "filter: dateLastModified is not an instant.")
        conditions.append(f" AND {column} {parts[2]} ?")
        arguments.append(value)
    return "".join(conditions), arguments


def _page(call: Call, many: str, total: int, items: list[dict[str, Any]], limit: int, offset: int) -> Answer:
    offsets = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
    if offset + limit < total:
        offsets["next"] = offset + limit
    rest = {name: value for name, value in call.query.items() if name not in {"limit", "offset"}}
    address = f"{call.sandbox.base_url}{call.path}"
    links = ", ".join(
        f'<{address}?{urlencode(rest | {"limit": limit, "offset": start})}>; rel="{name}"'
        for name, start in offsets.items()
    )
    return Answer(200, dumps({many: items}), {"X-Total-Count": str(total), "Link": links})


def _select(
    call: Call, version: str, name: str, condition: str = "", arguments: tuple[Any, ...] = ()
) -> Answer:
    found = LISTINGS[name]
    _require(call, gradebook=found.gradebook)
    limit = min(_number(call, "limit", _DEFAULT_LIMIT, 1), _MAX_LIMIT)
    offset = _number(call, "offset", 0, 0)
    filtered, values = _condition(found, call.query.get("filter", ""))
    where = f" FROM feed_records WHERE collection = ?{condition}{filtered}"
    given = (found.stored, *arguments, *values)
    connection = call.sandbox.connection
    (total,) = connection.execute("SELECT count(*)" + where, given).fetchone()
    rows = connection.execute(f"SELECT record{where} ORDER BY key LIMIT ? OFFSET ?", (*given, limit, offset))
    records = [json.loads(text) for (text,) in rows]
    return _page(call, found.many, total, list(found.shown(call, version, records)), limit, offset)


def _list(version: str, name: str) -> Action:
    """GET of a collection, also below a class, line item or student."""

    def action(call: Call) -> Answer:
        fields, below = LISTINGS[name].fields, {"class_id": "class", "line_item_id": "lineItem"}
        conditions = [f" AND {fields[f'{below[parameter]}.sourcedId']} = ?" for parameter in call.parameters]
        return _select(call, version, name, "".join(conditions), tuple(call.parameters.values()))

    return action


def _get(version: str, name: str) -> Action:
    """GET of one record."""

    def action(call: Call) -> Answer:
        found = LISTINGS[name]
        _require(call, gradebook=found.gradebook)
        is_it = f" AND {found.fields['sourcedId']} = ?"
        row = call.sandbox.connection.execute(
            "SELECT record FROM feed_records WHERE collection = ?" + is_it,  # noqa: S608 - made of constants
            (found.stored, call.parameters["sourced_id"]),
        ).fetchone()
        if row is None:
            raise not_found(f"This {found.one}")
        (record,) = found.shown(call, version, [json.loads(row[0])])
        return answer({found.one: record})

    return action


def _listed(call: Call, many: str, records: list[dict[str, Any]]) -> Answer:
    limit = min(_number(call, "limit", _DEFAULT_LIMIT, 1), _MAX_LIMIT)
    offset = _number(call, "offset", 0, 0)
    return _page(call, many, len(records), records[offset : offset + limit], limit, offset)


def _list_categories(version: str) -> Action:
    """GET of the categories: the types of the assessments, one category each."""

    def action(call: Call) -> Answer:
        _require(call, gradebook=True)
        rows = call.sandbox.connection.execute(_CATEGORIES, {"class_id": call.parameters.get("class_id", "")})
        records = [{"type": kind, "modified_at": modified_at} for kind, modified_at in rows]
        return _listed(call, "categories", list(categories(call, version, records)))

    return action


def _list_users(version: str) -> Action:
    """GET of everybody: students, then teachers."""

    def action(call: Call) -> Answer:
        _require(call, gradebook=False)
        users: list[dict[str, Any]] = []
        for name in ("students", "teachers"):
            rows = call.sandbox.connection.execute(
                "SELECT record FROM feed_records WHERE collection = ? ORDER BY key", (LISTINGS[name].stored,)
            )
            users += LISTINGS[name].shown(call, version, [json.loads(text) for (text,) in rows])
        return _listed(call, "users", users)

    return action


def _list_enrollments(version: str) -> Action:
    """GET of the enrollments: whoever has something to do in a class is in it."""

    def action(call: Call) -> Answer:
        _require(call, gradebook=False)
        connection = call.sandbox.connection
        pairs = connection.execute(
            "SELECT DISTINCT json_extract(record, '$.class_id'), json_extract(record, '$.student_id')"
            " FROM feed_records WHERE collection = 'scores' AND deleted = 0 ORDER BY 1, 2"
        ).fetchall()
        sis_class = sis_ids(connection, "classes", {class_id for class_id, _ in pairs})
        sis_student = sis_ids(connection, "students", {student_id for _, student_id in pairs})
        stamp = {"status": "active", "dateLastModified": milliseconds(settings(connection)["seeded_at"])}
        records = []
        for class_id, student_id in pairs:
            roster_class, roster_student = (
                sis_class.get(class_id, class_id),
                sis_student.get(student_id, student_id),
            )
            if call.parameters.get("class_id", roster_class) == roster_class:
                records.append(
                    {
                        "sourcedId": f"{class_id}~{student_id}",
                        **stamp,
                        "user": reference(call, version, "user", "users", roster_student),
                        "class": reference(call, version, "class", "classes", roster_class),
                        "school": reference(call, version, "org", "orgs", SCHOOL),
                        "role": "student",
                    }
                )
        return _listed(call, "enrollments", records)

    return action


def _fixed(name: str) -> Action:
    """GET of what there is one of: the school, the year."""

    def action(call: Call) -> Answer:
        _require(call, gradebook=False)
        kept = settings(call.sandbox.connection)
        stamp = {"status": "active", "dateLastModified": milliseconds(kept["seeded_at"])}
        if name == "orgs":
            return _listed(call, name, [{"sourcedId": SCHOOL, **stamp, "name": "Lakeview", "type": "school"}])
        dates = {
            "startDate": kept["day_0"],
            "endDate": kept["seeding_date"],
            "schoolYear": kept["seeding_date"][:4],
        }
        year = {"sourcedId": YEAR, **stamp, "title": "Year", "type": "schoolYear", **dates}
        return _listed(call, name, [year])

    return action


# --- What it is for the rest of the sandbox ---


def change_settings(call: Call) -> Answer:
    """PATCH /control/oneroster/settings {"oneroster_version": "1.1" or "1.2"}: what the connection is to."""
    version = object_of(call.body).get("oneroster_version")
    if version not in BASES:
        raise refused(422, "oneroster_version is 1.1 or 1.2.")
    keep_settings(call.sandbox.connection, oneroster_version=version)
    return answer({"oneroster_version": version})


def address(call: Call) -> dict[str, Any]:
    """What `GET /control/info` says of it."""
    kept = settings(call.sandbox.connection)
    version = kept.get("oneroster_version", "1.2")
    roster, gradebook = BASES[version]
    return {
        "base_url": f"{call.sandbox.base_url}{roster}",
        "gradebook_url": f"{call.sandbox.base_url}{gradebook}",
        "token_url": f"{call.sandbox.base_url}{TOKEN_PATH}",
        "client_id": CLIENT_ID,
        "client_secret": kept["feed_token"],
        "token": kept["feed_token"],
        "oneroster_version": version,
    }


def connection(call: Call) -> dict[str, Any]:
    """The Airflow connection to it."""
    found = address(call)
    version = found["oneroster_version"].replace(".", "p")
    scopes = " ".join(
        f"https://purl.imsglobal.org/spec/or/v{version}/scope/{name}"
        for name in ("roster.readonly", "gradebook.readonly")
    )
    extra = {"token_url": found["token_url"], "token_auth": "basic", "scope": scopes}
    extra["version"] = found["oneroster_version"]
    if found["gradebook_url"] != found["base_url"]:
        extra["gradebook_path"] = found["gradebook_url"].removeprefix(call.sandbox.base_url)
    return connection_to(
        found["base_url"], login=found["client_id"], password=found["client_secret"], **extra
    )


def _routes(version: str) -> Iterator[Route]:
    roster, gradebook = BASES[version]
    served: dict[str, Action] = {
        f"{roster}/orgs": _fixed("orgs"),
        f"{roster}/schools": _fixed("orgs"),
        f"{roster}/academicSessions": _fixed("academicSessions"),
        f"{roster}/users": _list_users(version),
        f"{roster}/enrollments": _list_enrollments(version),
        f"{gradebook}/categories": _list_categories(version),
        f"{gradebook}/classes/{{class_id}}/categories": _list_categories(version),
        f"{gradebook}/classes/{{class_id}}/lineItems": _list(version, "lineItems"),
        f"{gradebook}/classes/{{class_id}}/results": _list(version, "results"),
        f"{gradebook}/classes/{{class_id}}/lineItems/{{line_item_id}}/results": _list(version, "results"),
    }
    for name, found in LISTINGS.items():
        base = gradebook if found.gradebook else roster
        served[f"{base}/{name}"] = _list(version, name)
        served[f"{base}/{name}/{{sourced_id}}"] = _get(version, name)
    for path, action in served.items():
        yield Route("GET", path, action, "feed")


ROUTES: Final = (
    Route("POST", TOKEN_PATH, give_token, "feed"),
    Route("PATCH", "/control/oneroster/settings", change_settings, "control"),
    *_routes("1.1"),
    *_routes("1.2"),
)
