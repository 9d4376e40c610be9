"""Whatever a caller calls a picture."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pawsight_client import DependencyMissing, ImageInvalid, ImageUnreadable
from pawsight_client._pictures import encode

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def decoded(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_bytes_go_as_they_are() -> None:
    for picture in (b"data", bytearray(b"data"), memoryview(b"data")):
        assert encode(picture) == b"data"


def test_files_go_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "picture.jpg"
    file.write_bytes(b"data")
    assert encode(file) == encode(str(file)) == b"data"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageUnreadable, match=r"none\.jpg' cannot be read: No such file"):
        encode(tmp_path / "none.jpg")
    with pytest.raises(ImageUnreadable):
        encode(tmp_path)
    with pytest.raises(ImageUnreadable):
        encode("null\0byte.jpg")


def test_arrays_lose_nothing() -> None:
    assert np.array_equal(decoded(encode(PIXELS)), PIXELS)


def test_arrays_may_be_views() -> None:
    assert np.array_equal(decoded(encode(PIXELS[::-1, ::2])), PIXELS[::-1, ::2])


@pytest.mark.parametrize(
    "pixels",
    [PIXELS.astype(np.float32), PIXELS[:, :, 0], PIXELS[:, :, :2], PIXELS[:0], PIXELS[None]],
)
def test_other_arrays_are_refused(pixels: Any) -> None:
    with pytest.raises(ImageInvalid, match="uint8"):
        encode(pixels)


def test_pil_images_lose_nothing() -> None:
    assert np.array_equal(decoded(encode(Image.fromarray(PIXELS))), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "F", "I;16"])
def test_pil_images_of_every_mode_can_be_sent(mode: str) -> None:
    assert Image.open(io.BytesIO(encode(Image.new(mode, (4, 3))))).size == (4, 3)


def test_pil_images_are_sent_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(file, "PNG", exif=exif)
    assert decoded(encode(Image.open(file))).shape == (7, 5, 3)


def test_pixels_need_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DependencyMissing, match="pip install pillow"):
        encode(PIXELS)


def test_what_is_no_picture_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not int"):
        encode(3)  # type: ignore[arg-type]
