from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import ImageFont

from pawsight_serving import fonts
from pawsight_serving.fonts import drawable, families, font_for

# Of the fonts that come with matplotlib STIX General has it, and DejaVu Sans has not.
OF_STIX = "\N{LATIN SMALL LETTER K WITH PALATAL HOOK}"
# In no font: no character was ever given this number.
NOWHERE = "\U000effff"


def path_of(text: str) -> str:
    font = font_for(text, 12)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return str(font.path) if isinstance(font.path, str) else "Pillow's own"


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("no evidence for cat: 97.3%", "Pillow's own"),
        ("Hündin", "DejaVuSans.ttf"),
        ("кот", "DejaVuSans.ttf"),
        ("قط", "DejaVuSans.ttf"),
    ],
)
def test_pillows_own_font_is_used_as_far_as_it_goes(text: str, file: str) -> None:
    assert drawable(text) == text
    assert path_of(text).endswith(file)


def test_other_fonts_are_looked_for() -> None:
    text = f"cat {OF_STIX}"
    assert drawable(text) == text
    assert path_of(text) not in {"Pillow's own", path_of("кот")}
    assert len(families(["cat", "кот", text])) == 2


def test_what_no_font_has_is_a_number() -> None:
    assert drawable(f"the кот {NOWHERE}") == "the кот U+EFFFF"
    assert path_of(drawable(f"the cat {NOWHERE}")) == "Pillow's own"
    assert families([NOWHERE]) == ["DejaVu Sans"]


def test_a_file_that_is_no_font_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    good = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    files = [str(tmp_path / "broken.ttf"), str(tmp_path / "gone.ttf"), str(good)]
    monkeypatch.setattr(fonts, "_paths", lambda: iter(files))
    fonts._other_font.cache_clear()
    assert path_of("Kröte") == str(good)
