"""An Aeries that does what a test tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from aeries.stub_aeries import StubAeries, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[StubAeries]:
    async with serving(StubAeries()) as listening:
        yield listening
