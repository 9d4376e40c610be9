"""What a caller chooses among by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

Method: TypeAlias = Literal[
    "grad-cam",
    "activations",
    "hirescam",
    "layercam",
    "grad-cam++",
    "saliency",
    "smoothgrad",
    "occlusion",
    "rise",
]
"""Ways to explain that this version knows; `typing.get_args` lists them."""

Colormap: TypeAlias = Literal["", "inferno", "magma", "plasma", "viridis", "cividis"]
"""Colours of a drawing; empty leaves them to the server."""
