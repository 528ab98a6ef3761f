"""The trail of a period as a file, and a signature that says it is what the ledger held."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from passback.errors import ConfigurationError, ContractError
from passback.ledger.database import Connection, transaction
from passback.ledger.instants import iso
from passback.ledger.trail import HEAD_OF, ROWS_AT_ONCE, first_break
from passback.records import FORMULA_STARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

FORMAT: Final = "passback trail 1"
_PIECE: Final = 1 << 20

COLUMNS: Final = (
    "seq",
    "at",
    "run",
    "ordered_by",
    "rule_set",
    "mapping_hash",
    "kind",
    "line_item_id",
    "sis_student_id",
    "sis_class_id",
    "assessment_id",
    "class_id",
    "student_id",
    "from",
    "to",
    "hash",
)

# The values as the text that was hashed.
ROWS: Final = """
    SELECT seq, at, run_key, ordered_by, rule_set, mapping_hash, kind, line_item_id, sis_student_id,
           sis_class_id, assessment_id, class_id, student_id, from_value::text, to_value::text,
           encode(hash, 'hex')
    FROM passback.trail WHERE district = %s AND at >= %s AND at < %s ORDER BY seq
"""


def export_trail(
    connection: Connection,
    district: str,
    out: Path,
    *,
    since: datetime,
    until: datetime,
    form: Literal["csv", "json"],
    key: str,
    exported_at: datetime,
) -> dict[str, Any]:
    """Write a district's trail of a period, and its signature to `<out>.sig`; whole or not at all.

    Rows are streamed: no more than a portion of them stands in memory. In CSV (UTF-8 with a byte order mark,
    CRLF) a cell that a spreadsheet would take for a formula has an apostrophe before it.

    Args:
        connection: The ledger.
        district: The district's name.
        out: The file; its folder is there, the file is not. It belongs to its owner alone.
        since: The first instant of the period.
        until: The first instant after it.
        form: csv or json.
        key: The private key, from `new_key`.
        exported_at: The present instant.

    Returns:
        What was signed: format, district, since, until, exported_at, file (its name), sha256, rows, first and
        last (number and hash of the first and last row; null without rows), chain (number and hash of the
        trail's head, and the number of its first broken link or null), public_key; and the signature.

    Raises:
        ConfigurationError: the file is there already or its folder is not, or the key is none.
        PassbackError: as `transaction`.
    """
    signing = _private(key)
    if out.exists():
        raise ConfigurationError("the file is there already.", where=str(out), mend="Name another file.")
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(
            "there is no such folder.", where=str(out.absolute().parent), mend="Make it."
        )
    broken = first_break(connection, district)
    with transaction(connection) as cursor, connection.cursor(f"export_{uuid4().hex}") as rows:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(HEAD_OF, (district,))
        head = cursor.fetchone()
        rows.itersize = ROWS_AT_ONCE
        rows.execute(ROWS, (district, since, until))
        with _unfinished(out) as file:
            counted = _write(file, rows, form=form, district=district)
            signed = {
                "format": FORMAT,
                "district": district,
                "since": iso(since),
                "until": iso(until),
                "exported_at": iso(exported_at),
                "file": out.name,
                **counted,
                "chain": {
                    "seq": head[0] if head else 0,
                    "hash": bytes(head[1]).hex() if head else None,
                    "broken_at": broken and broken.number,
                },
                "public_key": public_key(key),
            }
            signature = {**signed, "signature": _text(signing.sign(_canonical(signed)))}
            # Before the file itself: a file that is there has its signature.
            with _unfinished(_signature_file(out)) as other:
                other.write(json.dumps(signature, indent=1, ensure_ascii=False).encode() + b"\n")
    return signature


def check_export(file: Path, *, public: str) -> dict[str, Any]:
    """What the signature beside an exported file says, once file and signature have proved to be genuine.

    Args:
        file: The file that `export_trail` wrote; `<file>.sig` lies beside it.
        public: The public key of who is trusted to have signed it.

    Raises:
        ConfigurationError: a file is missing, or the key is none.
        ContractError: the file or its signature was changed, or another key has signed it.
    """
    trusted = _public(public)
    signature_file = _signature_file(file)
    try:
        signature: dict[str, Any] = json.loads(signature_file.read_bytes())
        given = _bytes(signature.pop("signature"))
        digest, kind = signature["sha256"], signature["format"]
    except FileNotFoundError:
        raise ConfigurationError(
            "there is no signature beside the file.", where=str(signature_file), mend="Keep both together."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _not_genuine(signature_file, "it is not a signature of an exported trail") from None
    try:
        trusted.verify(given, _canonical(signature))
    except InvalidSignature:
        raise _not_genuine(
            signature_file, "it was changed, or made with another key than the one that is trusted"
        ) from None
    if kind != FORMAT:
        raise _not_genuine(signature_file, "it is of another version")
    try:
        with file.open("rb") as content:
            held = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        raise ConfigurationError("there is no such file.", where=str(file), mend="Name another.") from None
    if held != digest:
        raise _not_genuine(file, "its content is not what was signed")
    return signature


# --- Keys ---


def new_key() -> str:
    """A new private key (Ed25519), as a text to keep in the connection passback_signing."""
    return _text(Ed25519PrivateKey.generate().private_bytes_raw())


def public_key(key: str) -> str:
    """The public key that goes with a private one, as a text to hand to whoever checks exports.

    Raises:
        ConfigurationError: it is no private key.
    """
    return _text(_private(key).public_key().public_bytes_raw())


def _private(key: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(_bytes(key))
    except ValueError:
        raise ConfigurationError(
            "its password is not a key to sign with.",
            where="connection passback_signing",
            mend="Make one with `passback audit key`.",
        ) from None


def _public(key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(_bytes(key))
    except ValueError:
        raise ConfigurationError(
            "it is not a public key.",
            where="public key",
            mend="Take the one that `passback audit key` printed.",
        ) from None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.strip(), validate=True)


# --- Files ---


def _write(
    file: io.BufferedWriter, rows: Iterable[tuple[Any, ...]], *, form: str, district: str
) -> dict[str, Any]:
    """Write the rows; their number, the file's hash, and number and hash of the first and last row."""
    sha256, count = hashlib.sha256(), 0
    first: dict[str, Any] | None = None
    last: dict[str, Any] | None = None

    def counted() -> Iterator[tuple[Any, ...]]:
        nonlocal count, first, last
        for row in rows:
            count += 1
            last = {"seq": row[0], "hash": row[-1]}
            first = first or last
            yield (row[0], iso(row[1]), *row[2:])

    for piece in _csv(counted()) if form == "csv" else _json(counted(), district):
        sha256.update(piece)
        file.write(piece)
    return {"rows": count, "sha256": sha256.hexdigest(), "first": first, "last": last}


def _csv(rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    yield b"\xef\xbb\xbf"
    for row in rows:
        lines.writerow(_safe(cell) for cell in row)
        if text.tell() > _PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _json(rows: Iterable[tuple[Any, ...]], district: str) -> Iterator[bytes]:
    """One document with a line for each row."""
    yield f'{{"district": {json.dumps(district)}, "trail": ['.encode()
    separator = "\n"
    for row in rows:
        record = dict(zip(COLUMNS, row, strict=True))
        values = {name: record[name] and json.loads(record[name]) for name in ("from", "to")}
        yield (separator + json.dumps(record | values, ensure_ascii=False)).encode()
        separator = ",\n"
    yield b"\n]}\n"


@contextmanager
def _unfinished(target: Path) -> Iterator[io.BufferedWriter]:
    """A file beside the target, that takes its place when the block has ended well."""
    descriptor, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _signature_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sig")


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _not_genuine(where: Path, what: str) -> ContractError:
    return ContractError(
        f"This export cannot be relied on: {what}.", where=str(where), mend="Export the period again."
    )
