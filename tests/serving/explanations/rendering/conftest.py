from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from PIL import ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are written into drawings, in order."""
    texts: list[str] = []
    write: Callable[..., None] = ImageDraw.ImageDraw.text

    def noted(pen: ImageDraw.ImageDraw, xy: Any, text: str, *rest: Any, **options: Any) -> None:
        texts.append(text)
        write(pen, xy, text, *rest, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", noted)
    return texts
