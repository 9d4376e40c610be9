"""Where Triton listens: always on loopback, on ports that are free."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Final, NamedTuple

from pawsight_serving.addresses import Address
from pawsight_serving.errors import AddressUnavailable

HOST: Final = "127.0.0.1"


class Ports(NamedTuple):
    """Triton's three ports; 0 asks for a free one."""

    http: int = 8000
    grpc: int = 8001
    metrics: int = 8002


def claim(ports: Ports) -> Ports:
    """Return the ports with free ones in place of each 0, as Triton cannot choose by itself.

    Raises:
        AddressUnavailable: one of them is taken, or named twice.
    """
    with ExitStack() as held:
        # Held together, so that no two are the same.
        return Ports(*(_bind(held, port) for port in ports))


def _bind(held: ExitStack, port: int) -> int:
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        # Until it listens, others may bind the port too: one that was named twice.
        listener.listen()
    except OSError as error:
        raise AddressUnavailable(Address(HOST, port)) from error
    number: int = listener.getsockname()[1]
    return number
