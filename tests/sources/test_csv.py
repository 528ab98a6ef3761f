"""CSV files of any learning platform, in a folder or a bucket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import fsspec
import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from passback.connections import Endpoint
from passback.errors import ConfigurationError, PermissionRefusedError
from passback.records import ASSESSMENTS
from passback.sources import SOURCES, probe, pull
from sources.test_folder import FILES

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

CSV = SOURCES["csv"]


def endpoint(uri: str) -> Endpoint:
    return Endpoint("any_files", uri, login="", secret="", extra={})


def test_files_in_a_bucket_are_read(pages: ObjectStoragePath) -> None:
    bucket = fsspec.filesystem("memory")
    attach("memory", fs=bucket)
    for name, text in FILES.items():
        bucket.pipe_file(f"/bucket/scores/{name}.csv", text.encode())
    files = endpoint("memory://bucket/scores")
    got = asyncio.run(pull(CSV, files, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None))
    assert got.frames["scores"]["student_id"].tolist() == ["007", "NA"]
    assert got.frames["memberships"]["staff_id"].tolist() == ["t1"]
    assert asyncio.run(probe(CSV, files)) == dict(got.totals)


class LockedFileSystem(MemoryFileSystem):
    """A bucket whose files may be listed and not read."""

    def _open(self, *_: object, **__: object) -> None:
        raise PermissionError


def test_a_file_that_may_not_be_read_is_named() -> None:
    attach("memory", "locked", fs=LockedFileSystem())
    with pytest.raises(PermissionRefusedError, match=r"assessments\.csv: the file may not be read"):
        asyncio.run(probe(CSV, endpoint("memory://locked@bucket/scores")))


@pytest.mark.parametrize("uri", ["gopher://bucket/scores", "s3://bucket/scores"])
def test_a_kind_of_folder_that_airflow_cannot_open_is_a_matter_of_configuration(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="Airflow cannot open"):
        asyncio.run(probe(CSV, endpoint(uri)))


def test_a_web_address_is_no_folder(pages: ObjectStoragePath) -> None:
    site = endpoint("https://lms.example")
    for asked in (
        pull(CSV, site, pages, since=None, known=ASSESSMENTS.empty(), say=lambda _: None),
        probe(CSV, site),
    ):
        with pytest.raises(ConfigurationError, match="no folder of files"):
            asyncio.run(asked)
