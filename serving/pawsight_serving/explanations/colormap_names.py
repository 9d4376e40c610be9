"""Names of the colour tables, apart from the library that draws with them."""

from __future__ import annotations

from typing import Final

COLORMAPS: Final = ("inferno", "magma", "plasma", "viridis", "cividis")
"""matplotlib's perceptually even ones: equal steps of value look like equal steps of light."""
