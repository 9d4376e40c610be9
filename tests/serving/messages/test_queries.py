from __future__ import annotations

import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.queries import Drawing, Query
from pawsight_serving.messages.queries import explain_request, query_of
from pawsight_serving.settings import MAX_NUMBERS


def test_an_empty_request_asks_for_values_alone() -> None:
    assert query_of(pb.ExplainRequest()) == Query(max_values=MAX_NUMBERS)


def test_tensors_are_bounded_by_memory_alone() -> None:
    assert query_of(pb.ExplainRequest(tensors=True)).max_values is None


def test_every_option_is_read() -> None:
    request = pb.ExplainRequest(
        model="m",
        version="2",
        method="rise",
        layer="conv1",
        target="cat",
        channels=[1, 2],
        top=3,
        samples=4,
        seed=5,
        faithfulness=True,
        rendering=pb.RENDERING_WEBP,
        sheet=True,
        alpha=0.5,
        colormap="magma",
    )
    drawing = Drawing("WEBP", 0.5, "magma", sheet=True)
    expected = Query("m", "2", "rise", "conv1", "cat", (1, 2), 3, 4, 5, True, drawing, MAX_NUMBERS)
    assert query_of(request) == expected
    request.images.append(b"x")
    assert explain_request(expected, [b"x"], tensors=False) == request


def test_nothing_drawn_is_nothing_said_of_the_drawing() -> None:
    request = explain_request(Query(model="m"), [b"x", b"y"], tensors=True)
    assert request == pb.ExplainRequest(model="m", images=[b"x", b"y"], tensors=True)


def test_without_an_alpha_the_drawing_has_its_own() -> None:
    assert query_of(pb.ExplainRequest(rendering=pb.RENDERING_PNG)).drawing == Drawing()
    clear = query_of(pb.ExplainRequest(rendering=pb.RENDERING_PNG, alpha=0)).drawing
    assert clear is not None
    assert clear.alpha == 0


@pytest.mark.parametrize(
    "request_",
    [
        pb.ExplainRequest(alpha=2),
        pb.ExplainRequest(colormap="jet"),
        pb.ExplainRequest(rendering=99),  # type: ignore[arg-type]
    ],
)
def test_a_drawing_that_cannot_be_is_refused(request_: pb.ExplainRequest) -> None:
    with pytest.raises(OptionInvalid):
        query_of(request_)
