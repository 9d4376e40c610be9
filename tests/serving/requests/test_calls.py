from __future__ import annotations

import pytest

from pawsight_serving.requests.calls import accept_request_id


@pytest.mark.parametrize("given", ["a", "4765459d-3dee/4a:6.b_c=d@e+f", "x" * 128])
def test_a_fit_id_is_kept(given: str) -> None:
    assert accept_request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "two words", "line\nbreak", "x" * 129, "ü"])
def test_another_is_replaced(given: str | None) -> None:
    made = accept_request_id(given)
    assert made != given
    assert accept_request_id(made) == made
    assert made != accept_request_id(given)
