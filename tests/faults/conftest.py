"""The servers that the cases of a file share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.servers import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.servers import Servers


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("faults")) as found:
        yield found
