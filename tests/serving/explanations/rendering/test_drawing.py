from __future__ import annotations

import gc
import io
import weakref
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from PIL import Image, ImageFile

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.queries import Drawing
from pawsight_serving.explanations.rendering.drawing import Painter, most_bytes
from pawsight_serving.explanations.results import ActivationMaps, ChannelMap, ClassMap, Explanation
from pawsight_serving.pictures.reading import FORMATS, PictureLimits, open_picture
from pawsight_serving.predictions import Prediction
from tests.serving.fakes import picture

if TYPE_CHECKING:
    from pawsight_serving.explanations.results import Maps

HEAT = ClassMap("conv1", "cat", np.eye(3, dtype=np.float32))
ACTIVATIONS = ActivationMaps("conv1", [ChannelMap(0, np.eye(3, dtype=np.float32))])
CAT = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})


def painter(data: bytes, drawing: Drawing | None = None) -> Painter:
    return Painter(data, drawing or Drawing(), PictureLimits(), 90, lambda: None)


def drawn(data: bytes, maps: Maps, drawing: Drawing | None = None) -> Image.Image:
    (file,) = painter(data, drawing).each([Explanation(maps)])
    return Image.open(io.BytesIO(file))


@pytest.mark.parametrize(
    ("original", "size"),
    [((50, 20), (50, 20)), ((300, 100), (90, 30)), ((100, 300), (30, 90))],
)
def test_an_overlay_has_the_pictures_shape_within_the_bound(
    original: tuple[int, int], size: tuple[int, int]
) -> None:
    assert drawn(picture(size=original), HEAT).size == size


def test_a_picture_on_its_side_is_drawn_upright() -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(file, "JPEG", exif=exif)
    assert drawn(file.getvalue(), HEAT).size == (20, 40)


@pytest.mark.parametrize("kind", FORMATS)
def test_of_an_opened_picture_nothing_is_left_to_decode(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    explanations = [Explanation(HEAT)] * 2
    opened = painter(picture(size=(50, 20), kind=kind))
    opened.open(explanations)

    def decode(_: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded once more")

    # Threads share the picture from now on; Pillow's decoding would be theirs to run into.
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", decode)
    assert all(opened.each(explanations))


def test_a_painter_keeps_no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[weakref.ref[Image.Image]] = []

    def opening(*arguments: Any, **options: Any) -> Image.Image:
        opened = open_picture(*arguments, **options)
        files.append(weakref.ref(opened))
        return opened

    monkeypatch.setattr(f"{Painter.__module__}.open_picture", opening)
    kept = painter(picture(size=(50, 20), kind="WEBP"))
    kept.open([Explanation(HEAT)])
    gc.collect()
    assert [file() for file in files] == [None]
    assert kept.each([Explanation(HEAT)])


def test_activation_maps_become_a_grid() -> None:
    assert drawn(picture(size=(50, 20)), ACTIVATIONS).size == (144, 206)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_format_is_the_one_asked_for(kind: Literal["PNG", "WEBP"]) -> None:
    assert drawn(picture(), HEAT, Drawing(kind)).format == kind
    (explanation,) = [Explanation(HEAT)]
    sheet = painter(picture(), Drawing(kind, sheet=True)).sheet([explanation], "tiny 1", CAT)
    assert Image.open(io.BytesIO(sheet)).format == kind


def test_what_webp_cannot_hold_is_refused() -> None:
    maps = ActivationMaps("conv1", [ChannelMap(i, np.eye(3, dtype=np.float32)) for i in range(64)])
    explanations = [Explanation(maps)] * 16
    with pytest.raises(OptionInvalid, match="WebP takes at most 16383 a side; ask for PNG"):
        painter(picture(), Drawing("WEBP")).sheet(explanations, "a model", CAT)
    png = Image.open(io.BytesIO(painter(picture()).sheet(explanations, "a model", CAT)))
    assert max(png.size) > 16383


def test_colours_and_alpha_are_heeded() -> None:
    usual = np.asarray(drawn(picture("white"), HEAT))
    other = np.asarray(drawn(picture("white"), HEAT, Drawing(colormap="viridis")))
    clear = np.asarray(drawn(picture("white"), HEAT, Drawing(alpha=0)))
    assert not np.array_equal(usual, other)
    assert clear.min() == 255


def noise(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_no_overlay_takes_more_than_was_foreseen() -> None:
    most = most_bytes(Drawing(), [(3, 3)] * 2, 90)
    overlays = painter(noise((90, 90))).each([Explanation(HEAT)] * 2)
    assert 0.8 * most < sum(map(len, overlays)) < 1.01 * most


@pytest.mark.parametrize("layers", [1, 2, 4, 5, 13])
@pytest.mark.parametrize("targets", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(90, 90), (90, 20), (20, 90)])
def test_no_sheet_has_more_pixels_than_were_foreseen(
    layers: int, targets: int, size: tuple[int, int]
) -> None:
    maps = [
        Explanation(ClassMap(f"conv{layer}", f"{target}", HEAT.values))
        for layer in range(layers)
        for target in range(targets)
    ]
    drawing = Drawing(sheet=True)
    file = painter(picture(size=size), drawing).sheet(maps, "tiny 1", CAT)
    width, height = Image.open(io.BytesIO(file)).size
    assert width * height * 3 <= most_bytes(drawing, [(3, 3)] * len(maps), 90)


@pytest.mark.parametrize("sheet", [False, True])
def test_grids_have_as_many_pixels_as_were_foreseen(sheet: bool) -> None:
    drawing = Drawing(sheet=sheet)
    maps = [
        ActivationMaps("conv1", [ChannelMap(0, np.eye(3, dtype=np.float32))] * channels)
        for channels in (5, 16)
    ]
    explanations = [Explanation(each) for each in maps]
    one = painter(picture(), drawing)
    files = [one.sheet(explanations, "", CAT)] if sheet else one.each(explanations)
    sizes = [Image.open(io.BytesIO(file)).size for file in files]
    drawn = 3 * sum(width * height for width, height in sizes)
    assert drawn == most_bytes(drawing, [(5, 3, 3), (16, 3, 3)], 90)


@pytest.mark.parametrize("sheet", [False, True])
def test_before_each_map_it_is_asked_whether_it_is_wanted(sheet: bool) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise ZeroDivisionError

    once = Painter(picture(), Drawing(sheet=sheet), PictureLimits(), 90, check)

    def draw(explanations: list[Explanation]) -> None:
        if sheet:
            once.sheet(explanations, "", CAT)
        else:
            once.each(explanations)

    draw([Explanation(HEAT)] * 2)
    with pytest.raises(ZeroDivisionError):
        draw([Explanation(HEAT)])


def test_a_sheet_of_a_class_map_has_picture_map_and_overlay() -> None:
    file = painter(picture(), Drawing(sheet=True)).sheet([Explanation(HEAT)], "tiny 1", CAT)
    assert Image.open(io.BytesIO(file)).width == 3 * (360 + 14) + 14


def test_a_sheet_of_activation_maps_has_every_layer() -> None:
    one = painter(picture(), Drawing(sheet=True)).sheet([Explanation(ACTIVATIONS)], "tiny", CAT)
    two = painter(picture(), Drawing(sheet=True)).sheet([Explanation(ACTIVATIONS)] * 2, "tiny", CAT)
    heights = [Image.open(io.BytesIO(sheet)).height for sheet in (one, two)]
    assert heights == [206, 412]
