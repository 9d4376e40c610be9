"""Where a server listens, and where others are found."""

from __future__ import annotations

import errno
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from pawsight_serving.errors import AddressUnavailable


class Address(NamedTuple):
    """A host and a port; port 0 lets the system choose a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: object) -> Address:
        """Read `HOST:PORT`, or `[HOST]:PORT` for IPv6.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(text, cls):
            return text
        host, _, port = str(text).rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError("it must be HOST:PORT")
        return cls(host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def bind(address: Address, *, shared: bool = False) -> socket.socket:
    """Return a socket that holds the address and does not listen yet.

    Args:
        address: where.
        shared: whether other sockets of this user may hold it too, and share its connections.

    Raises:
        AddressUnavailable: the address is taken, or cannot be taken here.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _unavailable(address, error) from error
    return bound


def _unavailable(address: Address, error: OSError) -> AddressUnavailable:
    if isinstance(error, socket.gaierror):
        return AddressUnavailable(address, f"no host is known as {address.host}; choose another")
    if error.errno == errno.EACCES:
        return AddressUnavailable(address, "this user may not; choose a port from 1024 on")
    if error.errno == errno.EADDRNOTAVAIL:
        return AddressUnavailable(address, "it is not an address of this machine; choose another")
    return AddressUnavailable(address)


def check_free(*addresses: Address) -> None:
    """Find out whether addresses can be listened on, before a process loads for long.

    Raises:
        AddressUnavailable: one is taken, or cannot be taken here.
    """
    for address in addresses:
        bind(address).close()


def collector_url(text: str) -> str:
    """Return the URL of a collector of traces as it is.

    Raises:
        ValueError: it is no URL of http or https with a host.
    """
    wrong = ValueError("it must be http://HOST:PORT, or https://HOST:PORT for TLS")
    try:
        url = urlsplit(text)
        # Reading the port is what checks it.
        whole = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError as error:
        raise wrong from error
    if not whole or not text.isprintable() or " " in text:
        raise wrong
    return text
