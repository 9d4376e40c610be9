"""A real photograph: the CC0 cat in scikit-image's wheel."""

from __future__ import annotations

import io

import numpy as np
import skimage.data
from PIL import Image


def cat_jpeg() -> bytes:
    """Return the cat, 451x300 pixels, as JPEG."""
    out = io.BytesIO()
    pixels = np.asarray(skimage.data.cat())  # type: ignore[no-untyped-call]
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()
