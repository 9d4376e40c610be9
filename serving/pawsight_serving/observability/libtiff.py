"""The C library that Pillow reads TIFFs with."""

from __future__ import annotations

import ctypes
from typing import Final

_HANDLERS: Final = ("TIFFSetErrorHandler", "TIFFSetWarningHandler")


def silence_libtiff() -> None:
    """Keep libtiff from writing its own lines to standard error, where it can be reached.

    Pillow has no switch for that. Without a handler libtiff says nothing, and whether a picture
    can be decoded stays the same.
    """
    from PIL import _imaging  # processes that decode nothing need not wait for it at their import

    # Looked for in Pillow's module and in the libraries that came with it.
    pillow = ctypes.CDLL(_imaging.__file__)
    for name in _HANDLERS:
        set_handler = getattr(pillow, name, None)
        if set_handler is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)
