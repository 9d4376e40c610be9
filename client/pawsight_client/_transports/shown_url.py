"""A server's URL as it may be told: in messages and logs."""

from __future__ import annotations


def without_password(url: str) -> str:
    """Return the URL without a name and a password."""
    scheme, slashes, rest = url.partition("//")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
