"""Why a picture file cannot be learned from, in words for whoever has the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.errors import ImageInvalid, ImageMissing
from pawsight_serving.pictures.reading import FORMATS

if TYPE_CHECKING:
    from pawsight_serving.errors import RequestError


def reason(error: RequestError) -> str:
    """Return what is wrong with a file; the error's own sentence speaks to who sent it."""
    if isinstance(error, ImageMissing):
        return "The file is empty."
    if isinstance(error, ImageInvalid):
        return f"The file is not a whole {', '.join(FORMATS[:-1])} or {FORMATS[-1]}."
    return str(error)
