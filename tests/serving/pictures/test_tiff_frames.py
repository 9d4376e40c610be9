from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from pawsight_serving.errors import ImageInvalid
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.pictures.tiff_frames import frames_end

PADDING = 16


def of_pillow(frames: int = 3, **options: Any) -> bytes:
    first, *more = [
        Image.effect_noise((40, 40), 50 + number).convert("RGB") for number in range(frames)
    ]
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=more, **options)
    return out.getvalue()


def by_hand(order: str, wide: int, *, strip: int = 60, next_of_last: int = 0) -> bytes:
    """Return a TIFF of two frames, each a directory and then one strip of so many bytes."""
    place = order + ("I" if wide == 4 else "Q")
    data = b"II" if order == "<" else b"MM"
    data += struct.pack(order + "H", 42 if wide == 4 else 43)
    data += b"" if wide == 4 else struct.pack(order + "HH", 8, 0)
    data += struct.pack(place, len(data) + wide)
    entries = 2
    count = struct.pack(order + ("H" if wide == 4 else "Q"), entries)
    for frame in range(2):
        end = len(data) + len(count) + entries * (4 + 2 * wide) + wide
        data += count
        for tag, value in ((273, end), (279, strip)):
            data += struct.pack(order + "HH", tag, 4 if wide == 4 else 16)
            data += struct.pack(place, 1) + struct.pack(place, value)
        data += struct.pack(place, next_of_last if frame else end + strip) + bytes(strip)
    return data


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "jpeg"}], ids=str)
def test_every_frame_is_needed_and_more_does_no_harm(options: dict[str, Any]) -> None:
    data = of_pillow(**options)
    assert frames_end(data)
    assert frames_end(data + b"more")
    for missing in range(PADDING, len(data) - 4):
        assert not frames_end(data[:-missing]), missing


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wide", [4, 8])
def test_either_order_of_bytes_and_either_width_is_read(order: str, wide: int) -> None:
    data = by_hand(order, wide)
    assert frames_end(data)
    for missing in range(1, len(data) - 4):
        assert not frames_end(data[:-missing]), missing


def test_a_cut_tiff_whose_first_frame_is_whole_is_refused() -> None:
    data = of_pillow()
    decode_picture(data, (4, 4))
    with pytest.raises(ImageInvalid, match="ends too early"):
        decode_picture(data[:-100], (4, 4))


def test_the_first_frame_is_the_decoders_own() -> None:
    data = of_pillow(1)
    assert frames_end(data[:-100])


def test_another_kind_of_file_has_no_frames_to_miss() -> None:
    assert frames_end(b"\x89PNG\r\n\x1a\n")


def test_frames_that_go_round_in_a_circle_end() -> None:
    assert frames_end(by_hand("<", 4, next_of_last=8))


def test_numbers_that_reach_behind_all_memory_are_behind_the_end() -> None:
    assert not frames_end(by_hand("<", 8, next_of_last=2**64 - 1))
    # So many entries of 20 bytes that their bytes, in 64 bits, are few again.
    data = by_hand("<", 8)
    assert not frames_end(data[:16] + struct.pack("<Q", 2**62) + data[24:])
