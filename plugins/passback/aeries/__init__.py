"""Aeries' own gradebook interface: a second way into its gradebooks, beside OneRoster.

It reaches what OneRoster does not: elementary schools without a master schedule, scores with decimals, and
many scores in one request whose answer shows what is stored. It cannot excuse a student, hold a mark beside a
score, or take anything out again.

Source: Aeries' public articles on building a request and on the gradebook's end points; the parts of the
interface are called as they are there.
"""

from __future__ import annotations

from passback.aeries.gradebook import AeriesGradebook

__all__ = ["AeriesGradebook"]
