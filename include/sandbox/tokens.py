"""OAuth 2 client credentials: the token endpoint and the check of an access token (RFC 6749, RFC 6750)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote_plus

from sandbox import oauth1
from sandbox.exchange import Action, Answer, Call, RefusedError, Route, answer
from sandbox.oneroster import failure
from sandbox.store import setting, settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from sandbox.sis import Sis

ROSTER_CORE: Final = "roster-core.readonly"
ROSTER: Final = "roster.readonly"
GRADEBOOK: Final = "gradebook.readonly"
GRADEBOOK_CORE: Final = "gradebook-core.readonly"
GRADEBOOK_PUT: Final = "gradebook.createput"
GRADEBOOK_POST: Final = "gradebook.createpost"
GRADEBOOK_DELETE: Final = "gradebook.delete"


def _error(status: int, code: str, description: str) -> RefusedError:
    refusal = answer({"error": code, "error_description": description}, status)
    if status == 401:  # noqa: PLR2004 - RFC 6749 §5.2
        refusal.headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
    return RefusedError(refusal)


def bad_secret() -> Answer:
    """What the token endpoint answers to credentials it does not know."""
    return _error(401, "invalid_client", "The client id or the client secret is wrong.").answer


def _credentials(call: Call, form: dict[str, list[str]], forms: Collection[str]) -> tuple[str, str]:
    """Client id and secret, from the Basic header (each form-urlencoded, RFC 6749 §2.3.1) or the body."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" and "form" in forms:
        return form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
    if scheme.lower() != "basic" or "basic" not in forms:
        where = "the Authorization header" if "basic" in forms else "the form"
        raise _error(401, "invalid_client", f"The client id and the client secret belong into {where}.")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _error(401, "invalid_client", "The Basic credentials cannot be decoded.") from None
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _give(sis: Sis) -> Action:
    def give(call: Call) -> Answer:
        """POST of the token path: a token for the scopes asked for, as far as they exist here."""
        form = parse_qs(call.body.decode(errors="replace"), keep_blank_values=True)
        kept = settings(call.sandbox.connection)
        if kept["auth"] != "oauth2":
            raise _error(404, "invalid_request", "There are no access tokens here.")
        lenient = kept.get("lenient", sis.lenient)
        client_id, secret = _credentials(call, form, {"basic", "form"} if lenient else sis.token_forms)
        known = hmac.compare_digest(client_id.encode(), kept["client_id"].encode())
        if not hmac.compare_digest(secret.encode(), kept["client_secret"].encode()) or not known:
            raise RefusedError(bad_secret())
        if form.get("grant_type") != ["client_credentials"]:
            raise _error(400, "unsupported_grant_type", "grant_type is not client_credentials.")
        asked = form.get("scope", [""])[0].split()
        granted = [scope for scope in sis.scopes if scope in asked]
        if sis.scopes and not granted:
            raise _error(400, "invalid_scope", "Ask for at least one scope that exists here.")
        token = secrets.token_urlsafe(32)
        call.sandbox.connection.execute(
            "INSERT INTO tokens VALUES (?, ?, ?)",
            (token, " ".join(granted), time.time() + kept["token_seconds"]),
        )
        body = {"access_token": token, "token_type": "bearer", "expires_in": kept["token_seconds"]}
        given = answer(body | ({"scope": " ".join(granted)} if granted else {}))
        given.headers["Cache-Control"] = "no-store"
        return given

    return give


def require(call: Call, sis: Sis, names: Collection[str]) -> None:
    """Let a call pass that shows, in the way the SIS is set to, that it may do this.

    With OAuth 2 a token that is valid and carries a scope of one of the names, if the SIS has scopes; with
    OAuth 1.0a a signature; with `bearer` the secret itself. With any of them the vendor's header, if set.

    Raises:
        RefusedError: it does not show it (401; 400 for what cannot be read), or has no such scope (403).
    """
    connection = call.sandbox.connection
    _require_vendor_header(call)
    auth = setting(connection, "auth", "oauth2")
    if auth == "oauth1":
        kept = settings(connection)
        oauth1.check(call, kept, now=int(time.time()) + kept["clock_skew_seconds"])
    elif auth == "bearer":
        _, _, given = call.headers.get("authorization", "").partition("Bearer ")
        if not hmac.compare_digest(given.encode(), setting(connection, "client_secret", "").encode()):
            raise _no_token("The token is missing or wrong.")
    else:
        _require_token(call, sis, names)


def _require_vendor_header(call: Call) -> None:
    header = setting(call.sandbox.connection, "vendor_header", {})
    if header and call.headers.get(header["name"]) != header["value"]:
        raise failure(401, "unauthorisedrequest", f"The header {header['name']} is missing or wrong.")


def _no_token(words: str) -> RefusedError:
    refusal = failure(401, "unauthorisedrequest", words)
    refusal.answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return refusal


def _require_token(call: Call, sis: Sis, names: Collection[str]) -> None:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    row = call.sandbox.connection.execute(
        "SELECT scope, expires_at FROM tokens WHERE token = ?", (token.strip(),)
    ).fetchone()
    if scheme.lower() != "bearer" or row is None or row[1] <= time.time():
        raise _no_token("The access token is missing, expired or revoked.")
    if sis.scopes and not {sis.scope(name) for name in names} & set(row[0].split()):
        raise failure(403, "forbidden", "The access token does not carry the scope of this operation.")


def revoke_all(connection: sqlite3.Connection) -> None:
    """Take every access token back."""
    connection.execute("DELETE FROM tokens")


def expire_all(connection: sqlite3.Connection) -> None:
    """Let every access token expire now."""
    connection.execute("UPDATE tokens SET expires_at = 0")


def routes(sis: Sis) -> tuple[Route, ...]:
    """The token endpoint of a SIS."""
    return (Route("POST", sis.token_path, _give(sis), "token"),)
