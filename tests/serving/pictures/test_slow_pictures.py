"""Files of few bytes and pixels that would be decoded for minutes."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image, ImageFile

from pawsight_serving.errors import ImageInvalid
from pawsight_serving.pictures.reading import open_picture
from pawsight_serving.pictures.slow_pictures import check_segments, check_tiles
from tests.photographs import cat_jpeg

START = b"\xff\xd8"
SCAN = b"\xff\xda"
END = b"\xff\xd9"
# Of a JPEG's frame, and a scan: segments of no more than their length.
BASELINE = b"\xff\xc0\0\x02"
PROGRESSIVE = b"\xff\xc2\0\x02"
SHORT_SCAN = SCAN + b"\0\x02"


def progressive_jpeg() -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(cat_jpeg())).save(out, "JPEG", progressive=True)
    return out.getvalue()


def repeating_the_last_scan(jpeg: bytes, times: int) -> bytes:
    last = jpeg[jpeg.rindex(SCAN) : -len(END)]
    return jpeg[: -len(END)] + last * times + END


def rle_bmp(width: int, height: int) -> bytes:
    """Return a run-length encoded BMP of one colour a row."""
    rows = (b"\x04\x01" * (width // 4) + b"\0\0") * height + b"\0\x01"
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    size = start + len(rows)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + header + bytes(1024) + rows


def tiff_of_tiles(side: int) -> bytes:
    """Return a grey TIFF whose tiles are single pixels, all of them the same byte of the file."""
    entries = {
        256: (3, 1, side),
        257: (3, 1, side),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        277: (3, 1, 1),
        322: (3, 1, 1),
        323: (3, 1, 1),
        324: (4, side**2, 8 + 2 + 12 * 10 + 4),
        325: (4, 1, 1),
    }
    directory = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in entries.items())
    header = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return header + directory + bytes(4) + bytes(4 * side**2)


def opened(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data))


def refuse(data: bytes) -> None:
    with pytest.raises(ImageInvalid, match="too long to decode; save it again"):
        open_picture(data)


def refuse_segments(data: bytes) -> None:
    with pytest.raises(ImageInvalid, match="too long to decode; save it again as a plain JPEG"):
        check_segments(data)


def test_progressive_jpegs_are_decoded() -> None:
    assert open_picture(progressive_jpeg()).size == open_picture(cat_jpeg()).size
    open_picture(repeating_the_last_scan(progressive_jpeg(), 50))


def test_a_jpeg_of_many_scans_is_refused() -> None:
    refuse(repeating_the_last_scan(progressive_jpeg(), 100))


def test_a_jpeg_of_many_arithmetic_coded_scans_is_refused() -> None:
    huffman_coded, arithmetic_coded = b"\xff\xc2", b"\xff\xca"
    jpeg = repeating_the_last_scan(progressive_jpeg(), 100)
    assert jpeg.count(huffman_coded) == 1
    refuse(jpeg.replace(huffman_coded, arithmetic_coded))


def test_a_jpeg_of_many_segments_is_refused() -> None:
    jpeg = cat_jpeg()
    open_picture(jpeg[:2] + b"\xff\xe5\0\x02" * 500 + jpeg[2:])
    refuse(jpeg[:2] + b"\xff\xe5\0\x02" * 1001 + jpeg[2:])


def test_scans_in_what_is_no_scan_count_for_nothing() -> None:
    thumbnails = b"\xff\xe5" + struct.pack(">H", 2 + 2000) + SCAN * 1000
    jpeg = progressive_jpeg()
    open_picture(jpeg[:2] + thumbnails + jpeg[2:] + SCAN * 1000)


def test_scans_of_a_thumbnail_count_for_nothing() -> None:
    thumbnail = PROGRESSIVE + SHORT_SCAN * 1000
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    check_segments(START + segment + PROGRESSIVE + SHORT_SCAN + END)


def test_scans_of_a_picture_that_follows_count_for_nothing() -> None:
    check_segments(START + PROGRESSIVE + SHORT_SCAN + END + SHORT_SCAN * 1000)


def test_scans_of_a_jpeg_that_is_not_progressive_are_as_long_as_its_pixels() -> None:
    check_segments(START + BASELINE + SHORT_SCAN * 1000 + END)


def test_a_jpeg_may_have_a_hundred_scans_and_a_thousand_segments() -> None:
    check_segments(START + PROGRESSIVE + SHORT_SCAN * 100 + END)
    refuse_segments(START + PROGRESSIVE + SHORT_SCAN * 101 + END)
    check_segments(START + BASELINE * 1000 + END)
    refuse_segments(START + BASELINE * 1001 + END)


def test_a_large_run_length_encoded_bmp_is_refused() -> None:
    assert open_picture(rle_bmp(640, 480)).size == (640, 480)
    refuse(rle_bmp(2000, 1000))
    refuse(rle_bmp(8, 8) + bytes(2_000_000))
    check_tiles(opened(rle_bmp(8, 8)), 2_000_000 - 8 * 8)
    with pytest.raises(ImageInvalid):
        check_tiles(opened(rle_bmp(8, 8)), 2_000_001 - 8 * 8)


def test_a_tiff_of_many_tiles_is_refused() -> None:
    open_picture(tiff_of_tiles(16))
    most = tiff_of_tiles(256)
    check_tiles(opened(most), len(most))
    refuse(tiff_of_tiles(257))


def test_only_a_jpegs_segments_are_counted() -> None:
    segments = b"\xff\xc4\x00\x02" * 1001
    check_segments(b"\x89PNG" + segments)
    refuse_segments(START + segments)
    check_segments(START + segments[:4000])
