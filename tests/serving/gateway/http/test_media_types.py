from __future__ import annotations

import pytest
from starlette.requests import Request

from pawsight_serving.gateway.http.media_types import wanted_media_type

JSON, PNG, WEBP, NPY = "application/json", "image/png", "image/webp", "application/x-npy"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("image/png", PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("image/png, */*", PNG),
        ("image/png;q=0.1, */*", JSON),
        ("image/png;q=0.9, */*;q=0.8", PNG),
        ("*/*, image/png;q=0", JSON),
        ("image/*, */*", PNG),
        ("image/png, application/json", JSON),
        ("image/png, application/json;q=1", JSON),
        ("application/json;q=0.5, image/png", PNG),
        ("application/json, image/png;q=0.9", JSON),
        ("image/png;q=0", JSON),
        ("image/png;q=high", JSON),
        ("text/html", JSON),
        ("application/json;q=0, */*", PNG),
        ("application/json;q=0, image/png;q=0, */*;q=0.1", WEBP),
        ("application/json;q=0, application/*", NPY),
        ("application/*;q=0, application/x-npy", NPY),
        ("application/*;q=0, */*", PNG),
        ("application/json;q=0", PNG),
        ("application/*;q=0, image/*;q=0", JSON),
        ("image/webp", WEBP),
        ("image/webp, image/*;q=0.8", WEBP),
        ("image/*, image/png;q=0.1", WEBP),
        ("application/x-npy", NPY),
        ("application/x-npy, application/json;q=0.1", NPY),
    ],
)
def test_the_answer_is_what_the_caller_would_rather_have(accept: str, wanted: str) -> None:
    request = Request({"type": "http", "headers": [(b"accept", accept.encode())]})
    assert wanted_media_type(request) == wanted


def test_lines_of_one_name_are_one_list() -> None:
    lines = [(b"accept", b"text/html"), (b"accept", b"image/png")]
    assert wanted_media_type(Request({"type": "http", "headers": lines})) == PNG
