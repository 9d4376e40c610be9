"""Which servers are on this machine."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Return whether a server is on this machine: no proxy of the environment leads there."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
