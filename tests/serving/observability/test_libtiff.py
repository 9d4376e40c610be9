from __future__ import annotations

import subprocess
import sys

import pytest

_READS_BROKEN_TIFFS = """
import io, logging, sys
from PIL import Image
from pawsight_serving.errors import ImageInvalid
from pawsight_serving.observability.libtiff import silence_libtiff
from pawsight_serving.pictures.reading import decode_picture

if sys.argv[1] == "quiet":
    silence_libtiff()
whole = io.BytesIO()
Image.effect_noise((40, 40), 50).save(whole, "TIFF", compression="tiff_lzw")
data = bytearray(whole.getvalue())
data[200:400] = bytes(200)
try:
    decode_picture(bytes(data), (4, 4))
except ImageInvalid as error:
    print(error)
"""


@pytest.mark.parametrize("voice", ["quiet", "loud"])
def test_a_broken_tiff_is_refused_alike_and_only_libtiffs_own_lines_are_gone(voice: str) -> None:
    # Standard error is a process's own: what C writes there passes Python by.
    reading = subprocess.run(
        [sys.executable, "-c", _READS_BROKEN_TIFFS, voice],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "not a readable picture" in reading.stdout
    assert bool(reading.stderr) == (voice == "loud")
