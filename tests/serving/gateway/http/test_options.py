from __future__ import annotations

import pytest
from starlette.requests import Request

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.options import ExplainOptions, open_call, wants_png


def request(query: str = "", **headers: str) -> Request:
    return Request(
        {
            "type": "http",
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
            "state": {"request_id": "mine"},
        }
    )


@pytest.mark.parametrize(
    ("accept", "png"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("image/png", True),
        ("IMAGE/PNG", True),
        ("image/*", True),
        ("image/png, */*", True),
        ("image/png, application/json", False),
        ("application/json;q=0.5, image/png", True),
        ("application/json, image/png;q=0.9", False),
        ("image/png;q=0", False),
        ("image/png;q=high", False),
        ("text/html", False),
    ],
)
def test_a_png_is_for_who_would_rather_have_one(accept: str, png: bool) -> None:
    assert wants_png(request(accept=accept)) is png


def test_the_deadline_is_the_callers_within_the_servers() -> None:
    assert 4 < open_call(request(), 5).deadline.remaining_s() <= 5
    assert 1 < open_call(request(x_request_timeout="2"), 5).deadline.remaining_s() <= 2
    assert 4 < open_call(request(x_request_timeout="1e9"), 5).deadline.remaining_s() <= 5
    assert open_call(request(), 5).request_id == "mine"


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", ""])
def test_a_deadline_must_be_a_time(value: str) -> None:
    with pytest.raises(OptionInvalid, match="X-Request-Timeout"):
        open_call(request(x_request_timeout=value), 5)


def test_options_become_the_sidecars_request() -> None:
    options = ExplainOptions.of(request("method=activations&layer=conv1&channels=3,17"))
    message = options.message("tiny", "1", [b"x"], draw=False)
    assert (message.method, message.layer, list(message.channels)) == (
        "activations",
        "conv1",
        [3, 17],
    )


def test_what_is_not_asked_for_is_left_to_the_server() -> None:
    message = ExplainOptions.of(request()).message("tiny", "", [b"x"], draw=True)
    assert (message.method, message.layer, message.target) == ("grad-cam", "", "")
    assert list(message.channels) == []


def test_an_unknown_option_is_told_the_known_ones() -> None:
    with pytest.raises(OptionInvalid, match="method, layer, target, channels, overlay"):
        ExplainOptions.of(request("layr=conv1"))
