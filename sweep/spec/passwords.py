"""Hides passwords in addresses before they are shown or stored."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
# The match ends at the last @ of the word, because an unencoded password may contain a slash or an @.
_LOGIN = re.compile(r"(://[^\s/?#@:]*:)\S*(?=@)")
_OPTION = re.compile(r"([?&](?:password|passwd|pwd|token)=)[^\s&#]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """The text with the passwords in its addresses replaced by `***`."""
    return _OPTION.sub(rf"\1{HIDDEN}", _LOGIN.sub(rf"\1{HIDDEN}", text))


def without_passwords_in(value: Any) -> Any:
    """A copy of plain nested values with the passwords in every text hidden."""
    if isinstance(value, dict):
        return {key: without_passwords_in(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_passwords_in(inner) for inner in value]
    return without_passwords(value) if isinstance(value, str) else value


def without_login(url: str) -> str:
    """The address without user and password, for a browser or a health check. Raises ValueError for a bad address."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
