"""What stops the stack, as messages for the person at the keyboard."""

from __future__ import annotations

import errno

__all__ = ["StackError", "in_plain_words"]


class StackError(Exception):
    """Something on this machine is in the way; the message says what and how to mend it."""


def in_plain_words(error: OSError) -> str:
    """A failed file operation as a sentence with its mend."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}. Make room and try again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"This user may not write there{where}. Was it made by another user, such as root? "
            "Take it away as that user, or give this user the checkout."
        )
    return f"{error.strerror}{where}."
