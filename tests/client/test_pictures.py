"""Whatever a caller calls a picture."""

from __future__ import annotations

import io
import os
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pawsight_client import (
    DependencyMissing,
    ImageInvalid,
    ImageTooLarge,
    ImageUnreadable,
    _pictures,
)
from pawsight_client._pictures import encode
from pawsight_serving.pictures.reading import open_picture
from tests.tiffs import deep_grey

if TYPE_CHECKING:
    from pathlib import Path

ORIENTATION = 0x0112
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


def test_no_name_is_not_the_working_folder() -> None:
    with pytest.raises(ImageUnreadable, match="'' cannot be read: No such file"):
        encode("")


def test_more_bytes_than_any_server_takes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pictures, "MOST_BYTES", 4)
    file = tmp_path / "picture.jpg"
    file.write_bytes(b"data")
    assert encode(file) == encode(b"data") == b"data"
    file.write_bytes(b"data!")
    with pytest.raises(ImageTooLarge, match=r"jpg' has more than 4 bytes; send a smaller picture"):
        encode(file)
    for picture in (b"data!", bytearray(b"data!"), memoryview(b"data!")):
        with pytest.raises(ImageTooLarge, match=r"^The picture has more than 4 bytes"):
            encode(picture)


def test_a_file_without_an_end_is_not_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pictures, "MOST_BYTES", 4)
    os.mkfifo(endless := tmp_path / "endless.jpg")
    writer = ThreadPoolExecutor(1)

    def write() -> None:
        with endless.open("wb", buffering=0) as file:
            for _ in range(1000):
                file.write(bytes(2**16))

    with writer:
        writing = writer.submit(write)
        with pytest.raises(ImageTooLarge):
            encode(endless)
        with pytest.raises(BrokenPipeError):
            writing.result()


def test_arrays_lose_nothing() -> None:
    assert np.array_equal(decoded(encode(PIXELS)), PIXELS)


def test_arrays_may_be_views() -> None:
    assert np.array_equal(decoded(encode(PIXELS[::-1, ::2])), PIXELS[::-1, ::2])


@pytest.mark.parametrize(
    ("dtype", "name"),
    [(">u2", "uint16"), ("<f8", "float64"), ("i4", "int32"), ("?", "bool"), ("O", r"\|O")],
)
def test_the_type_of_other_arrays_is_told_by_its_name(dtype: str, name: str) -> None:
    with pytest.raises(ImageInvalid, match=rf"these are {name} of shape \[5, 7, 3\]\.$"):
        encode(PIXELS.astype(dtype))


@pytest.mark.parametrize(
    "pixels",
    [PIXELS.astype(np.float32), PIXELS[:, :, 0], PIXELS[:, :, :2], PIXELS[:0], PIXELS[None]],
)
def test_other_arrays_are_refused(pixels: Any) -> None:
    with pytest.raises(ImageInvalid, match="uint8"):
        encode(pixels)


def test_pil_images_lose_nothing() -> None:
    assert np.array_equal(decoded(encode(Image.fromarray(PIXELS))), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_pil_images_of_every_mode_can_be_sent(mode: str) -> None:
    assert Image.open(io.BytesIO(encode(Image.new(mode, (4, 3))))).size == (4, 3)


@pytest.mark.parametrize("orientation", range(1, 10))
def test_pil_images_keep_their_orientation(orientation: int) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(PIXELS).save(file, "TIFF" if orientation == 9 else "PNG", exif=exif)
    sent = ImageOps.exif_transpose(Image.open(io.BytesIO(encode(Image.open(file)))))
    upright = ImageOps.exif_transpose(Image.open(file))
    assert np.array_equal(np.asarray(sent), np.asarray(upright))


def test_a_pil_image_turned_while_it_is_loaded_is_not_turned_twice() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(PIXELS).save(file, "TIFF", exif=exif)
    sent = ImageOps.exif_transpose(Image.open(io.BytesIO(encode(Image.open(file)))))
    assert np.array_equal(np.asarray(sent), np.rot90(PIXELS, -1))


@pytest.mark.parametrize("exif", [b"II", b"no TIFF's header at all"])
def test_a_pil_image_may_hold_broken_exif(exif: bytes) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", exif=exif)
    assert np.array_equal(decoded(encode(Image.open(file))), PIXELS)


def test_a_pil_image_may_hold_exif_that_pillow_cannot_write() -> None:
    entries = struct.pack("<HHI4s", 0x0111, 2, 4, b"abc") + struct.pack(
        "<HHII", ORIENTATION, 3, 1, 6
    )
    image = Image.fromarray(PIXELS)
    image.info["exif"] = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    sent = Image.open(io.BytesIO(encode(image)))
    assert sent.getexif()[ORIENTATION] == 6


@pytest.mark.parametrize("mode", ["I;16B", "I;16L"])
def test_16_bit_images_of_either_byte_order_lose_nothing(mode: str) -> None:
    pixels = np.array([[0, 300, 65535]], ">u2" if mode == "I;16B" else "<u2")
    sent = Image.open(io.BytesIO(encode(Image.frombytes(mode, (3, 1), pixels.tobytes()))))
    assert np.array_equal(np.asarray(sent), pixels)


@pytest.mark.parametrize(("bits", "zero_is_white"), [(12, False), (16, False), (16, True)])
def test_deep_grey_of_a_tiff_is_what_the_server_sees_in_the_file(
    bits: int, zero_is_white: bool
) -> None:
    file = deep_grey(bits, zero_is_white=zero_is_white)
    sent = open_picture(encode(Image.open(io.BytesIO(file))))
    assert np.array_equal(np.asarray(sent), np.asarray(open_picture(file)))


@pytest.mark.parametrize(("mode", "straight"), [("La", "LA"), ("RGBa", "RGBA"), ("PA", "RGBA")])
def test_what_is_transparent_stays_so(mode: str, straight: str) -> None:
    clear = Image.new("LA" if mode == "La" else "RGBA", (4, 3))
    sent = Image.open(io.BytesIO(encode(clear.convert(mode))))
    assert sent.mode == straight
    assert sent.getextrema()[-1] == (0, 0)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pil_images_of_32_bits_a_channel_are_refused(mode: str) -> None:
    with pytest.raises(ImageInvalid, match="send it with 8 or 16"):
        encode(Image.new(mode, (4, 3)))


def test_pil_images_that_cannot_be_read_are_refused() -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).resize((90, 70)).save(file, "JPEG")
    closed = Image.fromarray(PIXELS)
    closed.close()
    cut = Image.open(io.BytesIO(file.getvalue()[:-200]))
    for unreadable in (closed, cut, Image.new("RGB", (0, 0))):
        with pytest.raises(ImageInvalid, match="cannot be read"):
            encode(unreadable)


def test_pixels_need_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DependencyMissing, match="pip install pillow"):
        encode(PIXELS)


def test_what_is_no_picture_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not int"):
        encode(3)  # type: ignore[arg-type]
