"""Pictures no two of which look the same: patchworks of random colours."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def patchwork(seed: int, side: int = 80) -> bytes:
    """Return a patchwork of 8x8 colours as a JPEG file."""
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST).save(out, "JPEG")
    return out.getvalue()
