"""Addresses as they may be shown and stored: without their passwords."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
# Up to the last @ of the word: a password that was not encoded may hold a slash or an @ itself.
_LOGIN = re.compile(r"(://[^\s/?#@:]*:)\S*(?=@)")
_OPTION = re.compile(r"([?&](?:password|passwd|pwd|token)=)[^\s&#]*", re.IGNORECASE)


def hidden(text: str) -> str:
    """A text with the passwords of the addresses in it replaced by `***`."""
    return _OPTION.sub(rf"\1{HIDDEN}", _LOGIN.sub(rf"\1{HIDDEN}", text))


def hidden_in(value: Any) -> Any:
    """Plain values with the passwords hidden in every text."""
    if isinstance(value, dict):
        return {key: hidden_in(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden_in(inner) for inner in value]
    return hidden(value) if isinstance(value, str) else value


def without_login(url: str) -> str:
    """The address without user and password, as a browser or a health check needs it. Raises ValueError."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
