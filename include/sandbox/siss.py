"""The SISs that the sandbox can be."""

from __future__ import annotations

from typing import Final

from sandbox.aeries import AERIES
from sandbox.aspen import ASPEN
from sandbox.aspire import ASPIRE
from sandbox.generic import GENERIC
from sandbox.skyward import SKYWARD

SISS: Final = {sis.name: sis for sis in (SKYWARD, AERIES, ASPEN, ASPIRE, GENERIC)}
