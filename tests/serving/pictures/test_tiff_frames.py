from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from pawsight_serving.errors import ImageInvalid
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.pictures.tiff_frames import _File, frames_end

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


def second_frame(*entries: tuple[int, int, int, bytes | int], tail: bytes) -> bytes:
    """Return a TIFF whose first frame has no entries, and its second these, before a tail.

    Args:
        entries: tag, type, count, and the value itself or its place in the tail.
        tail: what follows the directory.
    """
    start = 8 + 6
    end = start + 6 + 12 * len(entries)
    data = b"II*\0" + struct.pack("<IHI", 8, 0, start) + struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        inside = value if isinstance(value, bytes) else struct.pack("<I", end + value)
        data += struct.pack("<HHI", tag, kind, count) + inside.ljust(4, b"\0")
    return data + bytes(4) + tail


def check_every_byte_is_needed(data: bytes) -> None:
    assert frames_end(data)
    assert not frames_end(data[:-1])


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


def test_a_directory_may_be_the_end_of_the_file() -> None:
    check_every_byte_is_needed(by_hand("<", 4, strip=0))


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *((kind, 1) for kind in (1, 2, 6, 7)),
        *((kind, 2) for kind in (3, 8)),
        *((kind, 4) for kind in (4, 9, 11, 13)),
        *((kind, 8) for kind in (5, 10, 12, 16, 17, 18)),
    ],
)
def test_a_value_of_any_type_is_there_to_its_end(kind: int, size: int) -> None:
    check_every_byte_is_needed(second_frame((700, kind, 9, 3), tail=bytes(3 + 9 * size)))


@pytest.mark.parametrize("kind", [0, 14, 15, 19, 2**16 - 1])
def test_values_of_types_that_there_are_not_are_not_looked_for(kind: int) -> None:
    assert frames_end(second_frame((700, kind, 2**31, 2**31), tail=b""))


@pytest.mark.parametrize(("starts", "sizes"), [(273, 279), (324, 325)])
def test_strips_and_tiles_are_looked_for(starts: int, sizes: int) -> None:
    pieces = (starts, 4, 1, 0), (sizes, 4, 1, struct.pack("<I", 30))
    check_every_byte_is_needed(second_frame(*pieces, tail=bytes(30)))


@pytest.mark.parametrize("last", [0, 1, 2])
def test_each_of_several_pieces_is_looked_for(last: int) -> None:
    """Where they are stands outside of the directory, and so does how long they are."""
    end = 14 + 6 + 2 * 12
    ends = [3 * 4 + 3 * 2 + 10 * (number + 1) for number in range(3)]
    ends[last] = 60
    places = struct.pack("<III", *(end + each - 10 for each in ends))
    lengths = struct.pack("<HHH", 10, 10, 10)
    pieces = (273, 4, 3, 0), (279, 3, 3, len(places))
    data = second_frame(*pieces, tail=(places + lengths).ljust(60, b"\0"))
    check_every_byte_is_needed(data)


def test_lengths_may_be_two_short_numbers_within_the_directory() -> None:
    end = 14 + 6 + 2 * 12
    places = struct.pack("<II", end + 8, end + 20)
    pieces = (273, 4, 2, 0), (279, 3, 2, struct.pack("<HH", 12, 30))
    check_every_byte_is_needed(second_frame(*pieces, tail=places + bytes(42)))


def test_of_more_places_than_lengths_those_with_both_are_looked_for() -> None:
    pieces = (273, 4, 2, 0), (279, 4, 1, struct.pack("<I", 4))
    end = 14 + 6 + 2 * 12
    assert frames_end(second_frame(*pieces, tail=struct.pack("<II", end, 2**31)))
    assert not frames_end(second_frame(*pieces, tail=struct.pack("<II", end + 5, 2**31)))


def test_places_that_are_no_whole_numbers_are_none() -> None:
    pieces = (273, 11, 1, struct.pack("<f", 1e30)), (279, 4, 1, struct.pack("<I", 4))
    assert frames_end(second_frame(*pieces, tail=b""))


@pytest.mark.parametrize("count", [1, 500])
def test_frames_that_share_bytes_are_given_up(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A circle is followed no further than if each of its frames had bytes of its own."""
    looked = []
    directory = _File.directory

    def counted(file: _File, place: int) -> tuple[Any, int]:
        looked.append(place)
        return directory(file, place)

    monkeypatch.setattr(_File, "directory", counted)
    zeros = bytes(4) if count == 1 else 0
    data = second_frame((273, 4, count, zeros), (279, 4, count, zeros), tail=bytes(4 * count))
    circle = data[:40] + struct.pack("<I", 14) + data[44:]
    assert frames_end(circle)
    assert 1 < len(looked) < 8


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
