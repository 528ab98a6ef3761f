"""What `PATCH /control/settings` can change of every SIS: how it lets callers in and how it takes writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.exchange import connection_to, refused

if TYPE_CHECKING:
    from sandbox.sis import Sis

CHOICES: Final = {
    "auth": ("oauth2", "oauth1", "bearer"),
    "oauth1_signature": ("HMAC-SHA256", "HMAC-SHA1", "any"),
    "writes": ("put", "put_without_id", "post"),
    "allotted_as": ("object", "list"),
    "deletes": ("delete", "tobedeleted", "no"),
}


def first(sis: Sis) -> dict[str, Any]:
    """The settings of a SIS as they are at first, and after every seeding."""
    return {
        "auth": "oauth2",
        "oauth1_signature": "HMAC-SHA256",
        "vendor_header": {},
        "writes": "put",
        "allotted_as": "object",
        "drops_metadata": False,
        "deletes": "no" if ("DELETE", "lineItem") in sis.refused else "delete",
        "keeps_removed": False,
        "takes_categories": ("PUT", "category") not in sis.refused,
        "lenient": sis.lenient,
        **sis.settings,
    }


def check(sis: Sis, given: dict[str, Any]) -> None:
    """Refuse a setting that does not exist in general, or not in the SIS's version of OneRoster.

    Raises:
        RefusedError: 422, with what could be chosen.
    """
    for name, choices in CHOICES.items():
        if name in given and given[name] not in choices:
            raise refused(422, f"{name} is one of {', '.join(choices)}.")
    if given.get("auth") == "oauth1" and sis.version != "1.1":
        raise refused(422, "OneRoster 1.2 has no OAuth 1.0a.")
    if given.get("writes") == "post" and sis.version == "1.1":
        raise refused(422, "OneRoster 1.1 has no POST.")
    header = given.get("vendor_header") or {"name": "X", "value": "x"}
    if set(header) != {"name", "value"} or not all(
        isinstance(part, str) and part for part in header.values()
    ):
        raise refused(422, 'vendor_header is {"name": …, "value": …}, or {} for none.')


def connection(sis: Sis, base_url: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The Airflow connection to a SIS with the given settings, in Airflow's JSON form."""
    extra: dict[str, Any] = {}
    if kept["auth"] == "oauth2":
        extra["token_url"] = f"{base_url}{sis.token_path}"
        extra["token_auth"] = "basic" if "basic" in sis.token_forms else "body"
        extra["scope"] = " ".join(sis.scopes)
    else:
        extra["auth"] = kept["auth"]
    if kept["auth"] == "oauth1":
        signature = kept["oauth1_signature"]
        extra["signature"] = "HMAC-SHA256" if signature == "any" else signature
    if sis.gradebook != sis.rostering:
        extra["gradebook_path"] = sis.gradebook
    if kept["vendor_header"]:
        extra["headers"] = {kept["vendor_header"]["name"]: kept["vendor_header"]["value"]}
    usual = first(sis)
    extra |= {name: kept[name] for name in ("writes", "deletes") if kept[name] != usual[name]}
    login = "" if kept["auth"] == "bearer" else kept["client_id"]
    return connection_to(base_url + sis.rostering, login=login, password=kept["client_secret"], **extra)
