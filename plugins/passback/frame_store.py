"""What lies between the steps: Parquet and JSON under a stage URI, whole or not at all.

The stage URI may be a folder (`file:///var/lib/passback`) or a bucket (`s3://connection@bucket/passback`).
Local files belong to their owner alone (0600, folders 0700), for they hold student data.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet as pq

from passback.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from airflow.sdk import ObjectStoragePath

    from passback.records import Frame


def open_folder(uri: str) -> ObjectStoragePath:
    """The folder at a stage URI; it need not exist yet."""
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415 - slow to import

    return ObjectStoragePath(uri)


def write_whole(path: ObjectStoragePath, content: bytes) -> None:
    """Write a file so that a reader, or the next try of a killed task, finds all of it or none."""
    if path.protocol != "file":
        path.write_bytes(content)  # an object appears when its upload is complete
        return
    target = Path(path.path)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(target)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def write_frame(folder: ObjectStoragePath, name: str, data: pd.DataFrame) -> None:
    """Write `data` as `<name>.parquet` into `folder`."""
    buffer = io.BytesIO()
    data.to_parquet(buffer, index=False)
    write_whole(folder / f"{name}.parquet", buffer.getvalue())


def write_json(folder: ObjectStoragePath, name: str, content: Mapping[str, Any]) -> None:
    """Write `content` as `<name>.json` into `folder`."""
    write_whole(folder / f"{name}.json", json.dumps(content, indent=1, sort_keys=True).encode())


def read_frame(folder: ObjectStoragePath, frame: Frame) -> pd.DataFrame:
    """Read the frame that a step before this one wrote.

    Raises:
        ContractError: the file is missing or not a frame of this shape.
    """
    path = folder / f"{frame.name}.parquet"
    try:
        # pandas' own read_parquet takes twice as long for the small frames of a night's changes.
        content = pq.ParquetFile(pa.BufferReader(path.read_bytes())).read()
        return frame.conform(content.to_pandas())
    except FileNotFoundError:
        raise ContractError(
            f"{frame.name} of this run is missing",
            where=str(path),
            mend="Clear the run from extract-scores on; an earlier step's files were removed.",
        ) from None
    except (KeyError, ValueError):
        raise ContractError(
            f"{frame.name} of this run does not have the columns this version of Passback expects",
            where=str(path),
            mend="Clear the run from extract-scores on; the files come from another version.",
        ) from None  # pandas quotes the value that does not fit


def read_json(folder: ObjectStoragePath, name: str) -> dict[str, Any] | None:
    """Read `<name>.json` from `folder`; None if there is none."""
    path = folder / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return content
