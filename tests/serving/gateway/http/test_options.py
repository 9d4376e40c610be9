from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.queries import Drawing, Query
from pawsight_serving.gateway.http.options import ExplainOptions, open_call
from pawsight_serving.settings import MAX_NUMBERS

if TYPE_CHECKING:
    from pawsight_serving.gateway.http.media_types import MediaType


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


@pytest.mark.parametrize("value", ["2", "2.5", "2.", ".5", "25e-1", "0.001"])
def test_a_deadline_is_any_decimal_number(value: str) -> None:
    deadline = open_call(request(x_request_timeout=value), 5).deadline
    assert deadline.remaining_s() <= float(value)


@pytest.mark.parametrize(
    "value", ["soon", "0", "0.0", "-1", "+1", "nan", "inf", "1e999", "1e-999", "1_0", "٣", ".", ""]
)
def test_a_deadline_must_be_a_time(value: str) -> None:
    with pytest.raises(OptionInvalid, match="X-Request-Timeout"):
        open_call(request(x_request_timeout=value), 5)


def test_a_deadline_is_said_once() -> None:
    twice = request(x_request_timeout="2")
    twice.scope["headers"].append((b"x-request-timeout", b"3"))
    with pytest.raises(OptionInvalid, match="X-Request-Timeout"):
        open_call(twice, 5)


def query(text: str, wanted: MediaType = "application/json") -> Query:
    return ExplainOptions.of(request(text)).query("tiny", "1", wanted)


def test_options_become_what_is_asked() -> None:
    asked = query(
        "method=activations&layer=conv1&target=cat&channels=3,17&top=4&alpha=0.5&colormap=magma"
        "&faithfulness=true&samples=9&seed=8"
    )
    assert asked == Query(
        model="tiny",
        version="1",
        method="activations",
        layer="conv1",
        target="cat",
        channels=(3, 17),
        top=4,
        drawing=Drawing("PNG", 0.5, "magma"),
        faithfulness=True,
        samples=9,
        seed=8,
        max_values=MAX_NUMBERS,
    )


@pytest.mark.parametrize("text", ["method=grad-cam++", "method=grad-cam%2B%2B"])
def test_an_unquoted_plus_of_a_url_is_understood(text: str) -> None:
    assert query(text).method == "grad-cam++"


def test_what_is_not_asked_for_is_left_to_the_server() -> None:
    asked = Query("tiny", "1", "grad-cam", drawing=Drawing(), max_values=MAX_NUMBERS)
    assert query("") == asked


@pytest.mark.parametrize(
    ("text", "sheet"),
    [
        ("", False),
        ("layer=conv1&target=cat", False),
        ("sheet=true", True),
        ("layer=all", True),
        ("target=cat,dog", True),
    ],
)
def test_a_picture_of_several_explanations_is_a_sheet(text: str, sheet: bool) -> None:
    assert query(text, "image/webp").drawing == Drawing("WEBP", sheet=sheet)


def test_json_has_a_drawing_unless_it_is_not_wanted_and_raw_values_have_none() -> None:
    assert query("layer=all").drawing == Drawing()
    assert query("layer=all&sheet=true").drawing == Drawing(sheet=True)
    assert query("overlay=false").drawing is None
    assert query("sheet=true", "application/x-npy").drawing is None


def test_only_numbers_that_are_written_out_are_bounded() -> None:
    assert query("", "application/x-npy").max_values is None
    assert query("", "image/png").max_values is None


def test_a_drawing_that_cannot_be_is_refused_also_where_none_is_wanted() -> None:
    with pytest.raises(OptionInvalid, match="'jet'"):
        query("colormap=jet&overlay=false")


def test_an_unknown_option_is_told_the_known_ones() -> None:
    with pytest.raises(OptionInvalid, match="method, layer, target, channels, top, overlay"):
        ExplainOptions.of(request("layr=conv1&alpha=1"))


def test_who_names_a_version_in_the_query_is_told_where_it_stands() -> None:
    with pytest.raises(OptionInvalid, match="/versions/2"):
        ExplainOptions.of(request("version=2"))


@pytest.mark.parametrize(
    ("query", "takes"),
    [
        ("alpha=2", "a number from 0 to 1"),
        ("alpha=x", "a number from 0 to 1"),
        ("top=-1", "a whole number from 0 to 65535"),
        ("samples=1e9", "a whole number from 0 to 65535"),
        ("seed=-1", "a whole number from 0 to 9223372036854775807"),
        ("sheet=perhaps", "true or false"),
        ("channels=one", "numbers of channels, such as 0,3,17"),
        ("channels=%D9%A3", "numbers of channels, such as 0,3,17"),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_does(query: str, takes: str) -> None:
    with pytest.raises(OptionInvalid) as raised:
        ExplainOptions.of(request(query))
    name = query.partition("=")[0]
    assert f"{name!r}" in str(raised.value)
    assert str(raised.value).endswith(f"it takes {takes}.")


def test_what_may_be_several_may_be_sent_several_times() -> None:
    often = "layer=conv1&target=cat&channels=1&layer=conv2&target=dog&channels=2,3"
    assert query(often) == query("layer=conv1,conv2&target=cat,dog&channels=1,2,3")
    assert query("layer=conv1&layer=conv2", "image/png").drawing == Drawing(sheet=True)


@pytest.mark.parametrize(
    "query", ["method=rise&method=grad-cam", "alpha=1&alpha=1", "sheet=true&top=1&sheet=false"]
)
def test_what_is_one_is_sent_once(query: str) -> None:
    with pytest.raises(OptionInvalid, match=r"'(method|alpha|sheet)' was sent more than once"):
        ExplainOptions.of(request(query))


@pytest.mark.parametrize("query", ["channels=1&channels=two", "channels=one&channels=2"])
def test_each_of_several_is_checked(query: str) -> None:
    with pytest.raises(OptionInvalid, match="'channels'"):
        ExplainOptions.of(request(query))
