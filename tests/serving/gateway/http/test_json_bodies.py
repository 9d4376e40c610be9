from __future__ import annotations

import pytest

from pawsight_serving.errors import RequestError
from pawsight_serving.gateway.http.json_bodies import read_json

FORM = "{}"


def read(text: bytes, max_depth: int = 4, max_values: int = 100) -> object:
    return read_json(text, max_depth, max_values, FORM)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        (b"1", 1),
        (b"[]", []),
        (b"\xef\xbb\xbf[]", []),
        (b"[[[[1]]]]", [[[[1]]]]),
        (b'{"a":{"a":{"a":{"a":1}}}}', {"a": {"a": {"a": {"a": 1}}}}),
        (b'["[[[[[[[[", {"{{{{{{{{": "]"}]', ["[[[[[[[[", {"{{{{{{{{": "]"}]),
    ],
)
def test_what_is_within_the_depth_is_read(text: bytes, document: object) -> None:
    assert read(text) == document


@pytest.mark.parametrize("levels", [5, 1_000, 100_000, 1_000_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")]
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_deeper_is_refused(
    levels: int, opening: bytes, closing: bytes, whole: bool
) -> None:
    text = opening * levels + b"1" + closing * levels * whole
    with pytest.raises(RequestError, match=r"4 levels; send \{\}\.$"):
        read(text)


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[NaN]", b"\xff", b"[1,]", b"nul"])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(RequestError, match="not JSON"):
        read(text)


def test_more_values_than_may_be_are_refused_before_they_are_read() -> None:
    read(b"[" + b"0," * 100 + b"0]")
    with pytest.raises(RequestError, match="100 values"):
        read(b"," * 101)
