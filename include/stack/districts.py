"""The sample districts: one for each route, with the sandbox that stands for its two systems."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DISTRICTS", "SampleDistrict"]


@dataclass(frozen=True)
class SampleDistrict:
    """A district of `include/mappings/` that runs in a sandbox of its own.

    Args:
        name: Its name, which is its DAG's id.
        lms: The learning platform, as the sandbox calls it.
        sis: The student information system, as the sandbox calls it.
        modules: The modules of the data that it teaches; empty for all.
    """

    name: str
    lms: str
    sis: str
    modules: str = ""


DISTRICTS = (
    SampleDistrict("lakeview", "otus", "skyward"),
    SampleDistrict("brookfield", "otus", "aeries", "AAA"),
    SampleDistrict("eastmoor", "ekadence", "aeries", "AAA"),
    SampleDistrict("canyonridge", "canvas", "aspire", "AAA"),
    SampleDistrict("harborview", "canvas", "aspen", "AAA"),
)
