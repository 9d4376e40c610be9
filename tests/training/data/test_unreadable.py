from __future__ import annotations

import pytest

from pawsight_serving.errors import ImageInvalid, ImageMissing, ImageTooLarge, RequestError
from pawsight_training.data.unreadable import reason


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImageMissing("The picture is empty; send one."), "The file is empty."),
        (
            ImageInvalid("The bytes are not a readable picture; send a whole JPEG file."),
            "The file is not a whole JPEG, PNG, WEBP, GIF, BMP or TIFF.",
        ),
        (ImageTooLarge("The picture has 9 bytes; at most 8 are taken."), "The picture has 9 bytes"),
    ],
)
def test_nobody_is_asked_to_send_a_file(error: RequestError, said: str) -> None:
    assert reason(error).startswith(said)
    assert "send" not in reason(error)
