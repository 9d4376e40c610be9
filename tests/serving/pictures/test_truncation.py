from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from pawsight_serving.pictures.truncation import is_whole


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def bmp(header: bytes, row: bytes, *, rows: int) -> bytes:
    start = 14 + len(header)
    pixels = row * rows
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + pixels


def bmp_header(width: int, height: int, bits: int, compression: int) -> bytes:
    return struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)


def encoded() -> dict[str, tuple[bytes, str]]:
    frames = [Image.new("RGB", (33, 17), colour) for colour in ("red", "green", "blue")]
    moving = {"save_all": True, "append_images": frames[1:]}
    kinds: dict[str, tuple[bytes, str]] = {
        f"BMP {mode}": (encode(frames[0].convert(mode), "BMP"), "BMP")
        for mode in ("1", "L", "P", "RGB", "RGBA")
    }
    return kinds | {
        "PNG": (encode(frames[0], "PNG"), "PNG"),
        "APNG": (encode(frames[0], "PNG", **moving), "PNG"),
        "GIF": (encode(frames[0], "GIF"), "GIF"),
        "interlaced GIF": (encode(frames[0], "GIF", interlace=1, comment=b"of a cat"), "GIF"),
        "animated GIF": (encode(frames[0], "GIF", loop=0, duration=50, **moving), "GIF"),
        "BMP of OS/2": (bmp(struct.pack("<IHHHH", 12, 33, 17, 1, 24), bytes(100), rows=17), "BMP"),
        "BMP from its top": (bmp(bmp_header(33, -17, 24, 0), bytes(100), rows=17), "BMP"),
        "BMP of bit fields": (bmp(bmp_header(33, 17, 16, 3), bytes(68), rows=17), "BMP"),
        "BMP of bit fields and alpha": (bmp(bmp_header(33, 17, 32, 6), bytes(132), rows=17), "BMP"),
    }


@pytest.mark.parametrize("name", encoded())
def test_the_whole_file_is_needed_and_more_does_no_harm(name: str) -> None:
    data, kind = encoded()[name]
    assert is_whole(data, kind)
    assert is_whole(data + b"more", kind)
    for missing in range(1, len(data) - 60):
        assert not is_whole(data[:-missing], kind), missing


def test_a_gif_of_nonsense_is_not_whole() -> None:
    data, kind = encoded()["GIF"]
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    assert not is_whole(data[:start] + b"\x00nonsense;", kind)


def test_a_gif_has_a_colour_table_only_where_its_flag_says_so() -> None:
    size_of_a_table = b"\x77"
    assert is_whole(b"GIF89a" + bytes(4) + size_of_a_table + bytes(2) + b";", "GIF")


def test_what_only_looks_like_a_gifs_picture_is_none() -> None:
    header = b"GIF89a" + bytes(7)
    assert is_whole(header + b"\x2c" + bytes(11) + b";", "GIF")
    assert not is_whole(header + b"\x2d" + bytes(11) + b";", "GIF")


@pytest.mark.parametrize("compression", [1, 2, 4])
def test_of_a_compressed_bmp_the_header_does_not_say_how_long_it_is(compression: int) -> None:
    assert is_whole(bmp(bmp_header(33, 17, 8, compression), b"", rows=0), "BMP")


def test_of_a_tiff_its_frames_are_looked_for() -> None:
    frames = [Image.new("L", (9, 9), grey) for grey in (0, 1)]
    data = encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert is_whole(data, "TIFF")
    assert not is_whole(data[:-40], "TIFF")


def test_of_other_formats_the_decoder_misses_the_end_itself() -> None:
    assert is_whole(b"", "JPEG")
