from __future__ import annotations

import pytest

from pawsight_serving.rpc.request_ids import REQUEST_ID_KEY, request_id_of


def test_the_callers_id_is_kept() -> None:
    assert request_id_of([("other", "x"), (REQUEST_ID_KEY, "mine-1")]) == "mine-1"


def test_of_several_the_first_counts_as_over_http() -> None:
    assert request_id_of([(REQUEST_ID_KEY, "one"), (REQUEST_ID_KEY, "two")]) == "one"


@pytest.mark.parametrize("metadata", [None, [], [(REQUEST_ID_KEY, "")], [(REQUEST_ID_KEY, "a\nb")]])
def test_without_one_that_is_fit_a_new_one_is_made(
    metadata: list[tuple[str, str]] | None,
) -> None:
    ids = {request_id_of(metadata) for _ in range(2)}
    assert len(ids) == 2
    assert all(each.isalnum() for each in ids)
