"""Finds what looks like a secret in a mapping file, so that none is kept or repeated.

Better a refusal too many than a secret in version control. The order is from certain (a name that says
so) to likely (a long text without words).
"""

from __future__ import annotations

import re
from typing import Final

KEY_WHAT: Final = "a mapping file holds no secrets, and this field's name says that it is one."
VALUE_WHAT: Final = "a mapping file holds no secrets, and this looks like one."
MEND: Final = (
    "Put it into the Airflow connection named under `connection`, remove it here, and renew it if the file"
    " has been shared."
)

_CREDENTIAL_NAMES: Final = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret(?:_?(?:key|access_?key|id|value))?|(?:access_?|auth_?|refresh_?|bearer_?|id_?|api_?)?token"
    r"|(?:api|access|private|account|shared|signing|encryption|client|consumer)_?key|authori[sz]ation|auth|bearer|credentials?|cookie"
    r"|client_?id|consumer_?secret|login|user(?:name)?)"
)
_CREDENTIAL_KEY: Final = re.compile(rf"(?:.*_)?{_CREDENTIAL_NAMES}s?(?:_?[0-9]+)?")
_CERTAIN: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[a-z][a-z0-9+.-]*://[^/\s@]*:[^\s@]*@",  # a user and password in an address
        r"\bbearer\s+[a-z0-9+/=._~-]{8,}",
        r"\bbasic\s+[a-z0-9+/]{6,}==?(?![a-z0-9])",
        r"-----\s*begin\b",
        r"\beyJ[a-z0-9_-]{8,}\.[a-z0-9_-]+",  # a JSON Web Token
        r"\b(?:AKIA|ASIA|AIza|gh[opsur]_|github_pat_|glpat-|sk[-_]|xox[abprs]-|SG\.)[a-z0-9_-]{12,}",
        r"\b(?:password|passwd|pwd|secret|api[_-]?key|access[_-]?key|client[_-]?secret|token)\s*[=:]\s*[^\s'\"]",
    )
)
_UUID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
# Characters in a row that words and dates seldom put together; TitleCase and snake_2026 are ordinary.
_TURN: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_TURNS_A_CHARACTER: Final = 0.2


def secret_key(key: str) -> bool:
    """Whether a field's name says that it holds a secret or a credential."""
    folded = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()).strip("_")
    return _CREDENTIAL_KEY.fullmatch(folded) is not None


def certain_secret(text: str) -> bool:
    """Whether a text holds something whose form says that it is a secret."""
    return any(pattern.search(text) for pattern in _CERTAIN)


def secret_value(text: str) -> bool:
    """Whether a text looks like a secret: by its form, or as long text without words."""
    if len(text) < 8:  # noqa: PLR2004 - nothing so short has a form
        return False
    return certain_secret(text) or _UUID.search(text) is not None or any(map(_wordless, _LONG.findall(text)))


def _wordless(text: str) -> bool:
    digits = sum(map(str.isdigit, text))
    return digits > 0 and len(_TURN.findall(text)) >= _TURNS_A_CHARACTER * len(text)


def shown(text: str) -> str:
    """`text` as a message may show it."""
    return "…" if secret_value(text) else text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - a line's worth
