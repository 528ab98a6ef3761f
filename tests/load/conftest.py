"""A SIS that does what a test tells it."""

from oneroster.conftest import stub

__all__ = ["stub"]
