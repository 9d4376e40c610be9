from __future__ import annotations

import io

import pytest
from PIL import Image

from pawsight_serving.pictures.truncation import is_whole


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


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


def test_of_other_formats_the_decoder_misses_the_end_itself() -> None:
    assert is_whole(b"", "JPEG")
