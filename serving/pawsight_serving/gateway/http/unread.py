"""What was sent to a caller, and its machine has not taken yet."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio.trsock import TransportSocket

_SIZE: Final = struct.Struct("i")


def unread_bytes(connection: TransportSocket) -> int:
    """Return how many bytes the system still holds for the caller; 0 where it is closed.

    Where a transport keeps bytes, the system holds all that it takes. A transport with TLS cannot
    be asked: it does not count what it has encrypted and could not send.
    """
    try:
        held = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(_SIZE.size))
    except (OSError, ValueError):
        return 0
    return int(_SIZE.unpack(held)[0])
