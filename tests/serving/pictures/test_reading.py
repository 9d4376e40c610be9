"""Pictures of every kind that callers send, good and bad."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.errors import ImageInvalid, ImageMissing, ImageTooLarge
from pawsight_serving.pictures.reading import PictureLimits, decode_picture, open_picture
from tests.photographs import cat_jpeg
from tests.tiffs import deep_grey, tiff

if TYPE_CHECKING:
    from pathlib import Path

EXIF_ORIENTATION = 0x0112


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def left_red_right_blue(width: int = 64, height: int = 48) -> Image.Image:
    picture = Image.new("RGB", (width, height), (220, 20, 20))
    picture.paste((20, 20, 220), (width // 2, 0, width, height))
    return picture


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises a size and holds no pixels to speak of."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 16))
        + png_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_gives_the_same_picture(kind: str) -> None:
    pixels = decode_picture(encode(left_red_right_blue(), kind), (30, 40))
    assert pixels.shape == (30, 40, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[15, 5], (220, 20, 20), atol=12)
    np.testing.assert_allclose(pixels[15, 35], (20, 20, 220), atol=12)


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [
        (1, "left"),
        (2, "right"),
        (3, "right"),
        (4, "left"),
        (5, "top"),
        (6, "top"),
        (7, "bottom"),
        (8, "bottom"),
    ],
)
def test_exif_orientation_is_applied(orientation: int, red_at: str) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    data = encode(left_red_right_blue(), "JPEG", exif=exif)
    upright = open_picture(data)
    assert upright.size == ((64, 48) if red_at in {"left", "right"} else (48, 64))
    spots = {"left": (10, 2), "right": (10, 17), "top": (2, 10), "bottom": (17, 10)}
    row, column = spots[red_at]
    red, _, blue = decode_picture(data, (20, 20))[row, column].astype(int)
    assert red > blue + 100


def test_a_turned_picture_may_hold_exif_that_pillow_cannot_write() -> None:
    entries = struct.pack("<HHI4s", 0x0111, 2, 4, b"abc") + struct.pack(
        "<HHII", EXIF_ORIENTATION, 3, 1, 6
    )
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    jpeg = encode(left_red_right_blue(), "JPEG")
    turned = open_picture(
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + jpeg[2:]
    )
    assert turned.size == (48, 64)


@pytest.mark.parametrize("exif", [b"II", b"II*\0", b"no TIFF's header at all"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_broken_exif_costs_no_picture_its_answer(kind: str, exif: bytes) -> None:
    assert open_picture(encode(left_red_right_blue(), kind, exif=exif)).size == (64, 48)


def test_grey_becomes_three_equal_channels() -> None:
    pixels = decode_picture(encode(Image.new("L", (9, 9), 77)), (5, 5))
    assert (pixels == 77).all()


def test_palette_gives_its_colours() -> None:
    palette = left_red_right_blue().quantize(4)
    np.testing.assert_allclose(decode_picture(encode(palette), (4, 4))[0, 0], (220, 20, 20), atol=3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (200, 0, 0, 0)).convert(mode)
    kind = "TIFF" if mode == "PA" else "PNG"
    assert (decode_picture(encode(clear, kind), (4, 4)) == 255).all()


def test_a_transparent_palette_entry_becomes_white() -> None:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 20, 30] + [0] * 765)
    assert (decode_picture(encode(picture, "PNG", transparency=0), (4, 4)) == 255).all()


def test_a_transparent_colour_becomes_white() -> None:
    picture = Image.new("RGB", (8, 8), (10, 20, 30))
    assert (decode_picture(encode(picture, transparency=(10, 20, 30)), (4, 4)) == 255).all()


def test_what_is_half_transparent_lies_on_white() -> None:
    values = np.zeros((256, 256, 4), np.uint8)
    values[..., :3] = np.arange(256)[np.newaxis, :, np.newaxis]
    values[..., 3] = np.arange(256)[:, np.newaxis]
    colour, alpha = values[..., :3].astype(float), values[..., 3:] / 255
    seen = np.asarray(open_picture(encode(Image.fromarray(values))))
    np.testing.assert_array_equal(seen, np.rint(colour * alpha + 255 * (1 - alpha)))


def test_what_is_transparent_is_laid_on_white_in_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(encode(Image.new("RGBA", (4000, 4000), (10, 20, 30, 100))))
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from pawsight_serving.pictures.reading import open_picture\n"
        "def most_kib():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "before = most_kib()\n"
        "picture = open_picture(Path(sys.argv[1]).read_bytes())\n"
        "print((most_kib() - before) / (picture.width * picture.height * 4 / 1024))\n"
    )
    run = [sys.executable, "-c", code, str(file)]
    held = subprocess.run(run, check=True, capture_output=True, text=True, timeout=60)
    # The picture as it is in the file and as it is seen; Pillow's pixels have four bytes each.
    assert 1.9 < float(held.stdout) < 2.3


def test_a_real_photograph_is_decoded() -> None:
    assert decode_picture(cat_jpeg(), (150, 150)).std() > 20


def test_cmyk_becomes_rgb() -> None:
    picture = left_red_right_blue().convert("CMYK")
    pixels = decode_picture(encode(picture, "JPEG", quality=95), (20, 20)).astype(int)
    assert pixels[10, 2, 0] > pixels[10, 2, 2] + 100


def test_16_bit_grey_keeps_its_upper_byte() -> None:
    ramp = np.linspace(0, 65535, 32, dtype=np.uint16).reshape(1, 32).repeat(8, 0)
    pixels = decode_picture(encode(Image.fromarray(ramp)), (8, 32))
    np.testing.assert_allclose(pixels[0, :, 0], ramp[0] / 257, atol=1)


def test_each_of_16_bits_greys_becomes_the_nearest_of_8() -> None:
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    seen = np.asarray(open_picture(encode(Image.fromarray(values))))
    np.testing.assert_array_equal(seen[..., 0], np.rint(values / 257))


def test_a_dark_16_bit_picture_stays_dark() -> None:
    dark = np.full((8, 8), 200, dtype=np.uint16)
    assert decode_picture(encode(Image.fromarray(dark)), (4, 4)).max() <= 1


def test_a_transparent_16_bit_grey_becomes_white_and_the_others_stay() -> None:
    pixels = np.array([[0x1234, 0x5678]], np.uint16).repeat(8, 0)
    png = encode(Image.fromarray(pixels))
    clear = png_chunk(b"tRNS", struct.pack(">H", 0x1234))
    place = png.index(b"IDAT") - 4
    shown = np.asarray(open_picture(png[:place] + clear + png[place:]))
    assert shown[0, :, 0].tolist() == [255, round(0x5678 / 257)]


def test_deep_grey_takes_few_bytes_a_pixel() -> None:
    data = encode(Image.fromarray(np.zeros((1000, 1000), np.uint16)))
    open_picture(data)
    tracemalloc.start()
    open_picture(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000, "values, levels, and what Pillow copies; float64 would take 18"


@pytest.mark.parametrize(("bits", "zero_is_white"), [(12, False), (16, False), (16, True)])
def test_deep_grey_tiffs_keep_their_levels(bits: int, zero_is_white: bool) -> None:
    grey = np.asarray(open_picture(deep_grey(bits, zero_is_white=zero_is_white)))
    np.testing.assert_allclose(grey[0, :, 0], [0, 85], atol=1)


def test_colours_that_lie_apart_are_read_or_refused_and_never_mistaken() -> None:
    eight = tiff(2, [8] * 3, [b"\x0a\x14", b"\x1e\x28", b"\x32\x3c"], {262: 2, 284: 2})
    assert np.asarray(open_picture(eight)).tolist() == [[[10, 30, 50], [20, 40, 60]]]
    sixteen = tiff(2, [16] * 3, [bytes(4)] * 3, {262: 2, 284: 2})
    with pytest.raises(ImageInvalid, match="colours lie apart"):
        open_picture(sixteen)


def test_values_with_signs_are_refused() -> None:
    with pytest.raises(ImageInvalid, match="values have signs"):
        open_picture(tiff(2, [8], [b"\xff\x01"], {339: 2}))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    red, green, blue = decode_picture(data, (4, 4))[0, 0].astype(int)
    assert red > 240
    assert max(green, blue) < 15


def test_a_jpeg_decoded_at_a_fraction_looks_like_the_whole() -> None:
    waves = np.sin(np.linspace(0, 12, 1200))[None, :, None] * 100 + 128
    picture = Image.fromarray(np.broadcast_to(waves, (900, 1200, 3)).astype(np.uint8))
    data = encode(picture, "JPEG", quality=95)
    whole = open_picture(data).resize((150, 150), Image.Resampling.BILINEAR)
    difference = decode_picture(data, (150, 150)).astype(int) - np.asarray(whole)
    assert np.abs(difference).mean() < 1.5


@pytest.mark.parametrize(
    ("side", "size"), [(600, (1200, 900)), (300, (600, 450)), (100, (150, 113))]
)
def test_a_jpeg_is_decoded_at_a_fraction_where_that_is_enough(
    side: int, size: tuple[int, int]
) -> None:
    data = encode(Image.new("RGB", (1200, 900)), "JPEG")
    assert open_picture(data).size == (1200, 900)
    assert open_picture(data, at_least=(side, side)).size == size


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_of_other_colours_is_rgb_at_a_fraction_too(mode: str) -> None:
    fraction = open_picture(encode(Image.new(mode, (800, 800)), "JPEG"), at_least=(100, 100))
    assert (fraction.mode, fraction.size) == ("RGB", (100, 100))


def test_a_fraction_is_never_smaller_than_what_is_needed() -> None:
    data = encode(Image.new("RGB", (1200, 300)), "JPEG")
    fraction = open_picture(data, at_least=(150, 150))
    assert fraction.height >= 150
    assert fraction.width >= 150


@pytest.mark.parametrize("at_least", [(150, 600), (600, 150)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_fraction_is_no_smaller_than_an_oblong_either_upright_or_turned(
    at_least: tuple[int, int], orientation: int
) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    data = encode(Image.new("RGB", (600, 1200)), "JPEG", exif=exif)
    fraction = open_picture(data, at_least=at_least)
    assert fraction.height >= at_least[0]
    assert fraction.width >= at_least[1]


def test_empty_bytes_are_no_picture() -> None:
    with pytest.raises(ImageMissing):
        decode_picture(b"", (4, 4))


@pytest.mark.parametrize(
    "data",
    [
        b"not a picture at all",
        b"\xff\xd8\xff\xe0 a JPEG in name",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4",
        bytes(range(256)) * 40,
    ],
)
def test_other_bytes_are_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(ImageInvalid, match=r"send a whole JPEG, .* BMP or TIFF file"):
        decode_picture(data, (4, 4))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_pictures_are_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(ImageInvalid):
        decode_picture(data[: int(len(data) * share)], (4, 4))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("missing", [1, 2, 8, 20])
def test_not_even_the_last_bytes_may_be_missing(kind: str, missing: int) -> None:
    data = encode(left_red_right_blue(63, 48), kind)
    decode_picture(data, (4, 4))
    with pytest.raises(ImageInvalid):
        decode_picture(data[:-missing], (4, 4))


def test_of_a_jpeg_of_several_pictures_the_first_is_needed_alone() -> None:
    first, second = left_red_right_blue(), Image.new("RGB", (64, 48), "green")
    data = encode(first, "MPO", save_all=True, append_images=[second])
    # An editor that drops the others leaves the header that names them.
    end = data.index(b"\xff\xd9\xff\xd8") + 2
    alone = decode_picture(data[:end], (48, 64))
    assert alone[0, 0, 0] > 200 > alone[0, -1, 0]
    assert np.array_equal(decode_picture(data[:-1], (48, 64)), alone)
    for missing in (1, 2, 100):
        with pytest.raises(ImageInvalid):
            decode_picture(data[: end - missing], (48, 64))


def test_deep_colours_that_lie_together_are_read() -> None:
    together = struct.pack("<6H", *(257 * level for level in (10, 30, 50, 20, 40, 60)))
    data = tiff(2, [16] * 3, [together], {262: 2, 284: 1})
    assert np.asarray(open_picture(data)).tolist() == [[[10, 30, 50], [20, 40, 60]]]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_of_32_bits_are_refused(mode: str) -> None:
    picture = Image.new(mode, (8, 8), 1)
    with pytest.raises(ImageInvalid, match="with 8 or 16"):
        decode_picture(encode(picture, "TIFF"), (4, 4))


def test_a_machine_without_memory_is_not_the_pictures_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> Image.Image:
        raise MemoryError

    data = cat_jpeg()
    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        open_picture(data)


def test_decoding_in_threads_leaves_the_warnings_as_they_are() -> None:
    before = list(warnings.filters)
    data = encode(left_red_right_blue())
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: decode_picture(data, (4, 4)), range(200)))
    assert list(warnings.filters) == before


def test_a_format_outside_the_list_is_refused() -> None:
    with pytest.raises(ImageInvalid):
        decode_picture(encode(left_red_right_blue(), "PPM"), (4, 4))


def test_the_byte_limit_counts_the_encoded_bytes() -> None:
    data = encode(left_red_right_blue())
    decode_picture(data, (4, 4), PictureLimits(max_bytes=len(data)))
    with pytest.raises(ImageTooLarge, match="bytes"):
        decode_picture(data, (4, 4), PictureLimits(max_bytes=len(data) - 1))


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 1), (8_000, 8_000)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooLarge, match="pixels"):
        decode_picture(png_header(*size), (4, 4))


def test_the_pixel_limit_is_the_callers() -> None:
    data = encode(left_red_right_blue(100, 100))
    decode_picture(data, (4, 4), PictureLimits(max_pixels=10_000))
    with pytest.raises(ImageTooLarge, match="100x100 pixels"):
        decode_picture(data, (4, 4), PictureLimits(max_pixels=9_999))


def test_no_format_is_loaded_that_is_not_taken() -> None:
    code = (
        "import sys\n"
        "from pawsight_serving.errors import ImageInvalid\n"
        "from pawsight_serving.pictures.reading import FORMATS, decode_picture\n"
        "try:\n"
        "    decode_picture(b'none', (1, 1))\n"
        "except ImageInvalid:\n"
        "    from PIL import Image\n"
        "    print(sorted(set(Image.OPEN) - set(FORMATS)))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    # DIB comes with BMP, and PPM with those that Pillow loads of itself.
    assert loaded.stdout == "['DIB', 'PPM']\n"
