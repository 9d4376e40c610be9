from __future__ import annotations

import pytest

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.queries import Drawing, Query


@pytest.mark.parametrize(
    ("name", "most"), [("top", 65_535), ("samples", 65_535), ("seed", 9_223_372_036_854_775_807)]
)
def test_a_number_has_a_bound(name: str, most: int) -> None:
    assert getattr(Query(**{name: most}), name) == most  # type: ignore[arg-type]
    with pytest.raises(OptionInvalid, match=f"Give a `{name}` of at most {most}."):
        Query(**{name: most + 1})  # type: ignore[arg-type]


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan")])
def test_a_drawing_is_no_more_than_opaque_and_no_less_than_clear(alpha: float) -> None:
    assert (Drawing(alpha=0).alpha, Drawing(alpha=1).alpha) == (0, 1)
    with pytest.raises(OptionInvalid, match=r"Give an `alpha` from 0 to 1."):
        Drawing(alpha=alpha)


def test_a_colormap_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert Drawing(colormap="magma").colormap == "magma"
    with pytest.raises(OptionInvalid, match=r"The colormap 'jet' is not one of: .*magma"):
        Drawing(colormap="jet")


def test_no_more_values_are_written_out_than_may_be() -> None:
    query = Query(max_values=44)
    query.check_values([(3, 4), (2, 5)], 2)
    query.check_values([(44,)])
    with pytest.raises(OptionInvalid, match="The answer has 46 numbers, and at most 44 are"):
        query.check_values([(3, 4), (11,)], 2)
    Query().check_values([(10**6, 10**6)], 64)
