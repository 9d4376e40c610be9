"""Pictures that anyone can tell apart, drawn here: cats are discs, dogs are stripes."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = {"cats": "disc", "dogs": "stripes"}


def draw(shape: str, seed: int, side: int = 80) -> Image.Image:
    """Return a disc or stripes, in random colours, sizes and places."""
    chance = random.Random(f"{shape} {seed}")
    dark = tuple(chance.randrange(0, 90) for _ in range(3))
    light = tuple(chance.randrange(150, 256) for _ in range(3))
    picture = Image.new("RGB", (side, side), dark)
    pen = ImageDraw.Draw(picture)
    if shape == "disc":
        radius = chance.randrange(side // 5, side // 3)
        x, y = (chance.randrange(radius, side - radius) for _ in range(2))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=light)
    else:
        width = chance.randrange(6, 12)
        for left in range(-chance.randrange(width), side, 2 * width):
            pen.rectangle((left, 0, left + width - 1, side), fill=light)
    return picture


def jpeg(shape: str, seed: int) -> bytes:
    """Return one picture as a JPEG file."""
    out = io.BytesIO()
    draw(shape, seed).save(out, "JPEG", quality=92)
    return out.getvalue()


def draw_folder(root: Path, counts: dict[str, int]) -> Path:
    """Fill `root/SPLIT/{cats,dogs}` with so many pictures of each class a split."""
    for number, (split, count) in enumerate(counts.items()):
        for folder, shape in FOLDERS.items():
            target = root / split / folder
            target.mkdir(parents=True)
            for index in range(count):
                (target / f"{index}.jpg").write_bytes(jpeg(shape, 10_000 * number + index))
    return root
