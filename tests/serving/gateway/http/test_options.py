from __future__ import annotations

import pytest
from starlette.requests import Request

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.gateway.http.options import ExplainOptions, open_call


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


def test_the_deadline_is_the_callers_within_the_servers() -> None:
    assert 4 < open_call(request(), 5).deadline.remaining_s() <= 5
    assert 1 < open_call(request(x_request_timeout="2"), 5).deadline.remaining_s() <= 2
    assert 4 < open_call(request(x_request_timeout="1e9"), 5).deadline.remaining_s() <= 5
    assert open_call(request(), 5).request_id == "mine"


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", ""])
def test_a_deadline_must_be_a_time(value: str) -> None:
    with pytest.raises(OptionInvalid, match="X-Request-Timeout"):
        open_call(request(x_request_timeout=value), 5)


def message(query: str) -> pb.ExplainRequest:
    return ExplainOptions.of(request(query)).message("tiny", "1", [b"x"], pb.RENDERING_PNG)


def test_options_become_the_sidecars_request() -> None:
    asked = message(
        "method=activations&layer=conv1&channels=3,17&top=4&alpha=0.5&colormap=magma"
        "&faithfulness=true&samples=9&seed=8"
    )
    assert asked == pb.ExplainRequest(
        model="tiny",
        version="1",
        images=[b"x"],
        method="activations",
        layer="conv1",
        channels=[3, 17],
        top=4,
        rendering=pb.RENDERING_PNG,
        alpha=0.5,
        colormap="magma",
        faithfulness=True,
        samples=9,
        seed=8,
        tensors=True,
    )


def test_what_is_not_asked_for_is_left_to_the_server() -> None:
    asked = message("")
    assert (asked.method, asked.layer, asked.target) == ("grad-cam", "", "")
    assert (list(asked.channels), asked.top, asked.samples) == ([], 0, 0)


@pytest.mark.parametrize(
    ("query", "several"),
    [("", False), ("layer=conv1&target=cat", False), ("layer=all", True), ("target=cat,dog", True)],
)
def test_several_explanations_of_a_picture_are_foreseen(query: str, several: bool) -> None:
    assert ExplainOptions.of(request(query)).several is several


def test_an_unknown_option_is_told_the_known_ones() -> None:
    with pytest.raises(OptionInvalid, match="method, layer, target, channels, top, overlay"):
        ExplainOptions.of(request("layr=conv1"))


@pytest.mark.parametrize("query", ["alpha=2", "alpha=x", "top=-1", "samples=1e9", "seed=-1"])
def test_a_value_that_does_not_fit_is_told_by_its_option(query: str) -> None:
    with pytest.raises(OptionInvalid, match=f"'{query.partition('=')[0]}'"):
        ExplainOptions.of(request(query))
