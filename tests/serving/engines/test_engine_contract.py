"""What every engine must do; run once for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.engines.selection import open_engine
from pawsight_serving.errors import (
    DeadlineExceeded,
    ImageInvalid,
    ModelNotFound,
    OptionInvalid,
    VersionNotFound,
)
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.tiny_repository import SIDE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Engine

RED = np.zeros((1, SIDE, SIDE, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
BLUE = np.zeros((1, SIDE, SIDE, 3), np.uint8) + np.array([0, 0, 255], np.uint8)


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.fixture(params=["embedded", pytest.param("triton", marks=pytest.mark.triton)])
async def engine(request: pytest.FixtureRequest, repository: Path) -> AsyncIterator[Engine]:
    if request.param == "triton":
        engine = open_engine(None, request.getfixturevalue("triton").grpc)
    else:
        engine = open_engine(repository)
    await engine.start()
    yield engine
    await engine.close()


async def test_manifests_come_newest_last(engine: Engine) -> None:
    assert [(m.name, m.version) for m in engine.manifests()] == [
        ("other", "1"),
        ("tiny", "1"),
        ("tiny", "2"),
    ]


async def test_a_batch_keeps_its_order(engine: Engine) -> None:
    images = np.concatenate([RED, BLUE, RED])
    answer = await engine.infer("tiny", "1", images, ["probabilities"], soon())
    assert answer["probabilities"].dtype == np.float32
    assert answer["probabilities"].argmax(axis=1).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("graph", "output"), [("tiny", "gradcam"), ("tiny_explain", "gradcam:conv1")]
)
async def test_a_batch_may_be_large(engine: Engine, graph: str, output: str) -> None:
    levels = np.arange(0, 240, 5, dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (len(levels), SIDE, SIDE, 3))
    answer = await engine.infer(graph, "1", images, [output], soon())
    assert np.allclose(answer[output].mean(axis=(1, 2, 3)) * 255, levels, atol=0.01)


async def test_only_the_outputs_asked_for_come_back(engine: Engine) -> None:
    wanted = ["gradcam:conv1", "activation:pool1"]
    answer = await engine.infer("tiny_explain", "1", RED, wanted, soon())
    assert {name: value.shape for name, value in answer.items()} == {
        "gradcam:conv1": (1, 2, 4, 4),
        "activation:pool1": (1, 2, 2, 2),
    }


async def test_each_version_is_itself(engine: Engine) -> None:
    first = await engine.infer("tiny", "1", BLUE, ["probabilities"], soon())
    second = await engine.infer("tiny", "2", BLUE, ["probabilities"], soon())
    assert first["probabilities"].argmax() == 0
    assert second["probabilities"].argmax() == 1


async def test_many_calls_at_once_do_not_mix(engine: Engine) -> None:
    async def brightness(level: int) -> float:
        image = np.full((1, SIDE, SIDE, 3), level, np.uint8)
        answer = await engine.infer("tiny", "1", image, ["gradcam"], soon())
        return float(answer["gradcam"].mean() * 255)

    levels = list(range(0, 250, 5))
    assert np.allclose(await asyncio.gather(*map(brightness, levels)), levels, atol=0.01)


async def test_images_may_be_made_where_the_graph_runs(engine: Engine) -> None:
    answer = await engine.infer("tiny", "1", lambda: RED, ["probabilities"], soon())
    assert answer["probabilities"].argmax() == 1

    def broken() -> NDArray[np.uint8]:
        raise ImageInvalid("It is no picture; send one.")

    with pytest.raises(ImageInvalid, match="no picture"):
        await engine.infer("tiny", "1", broken, ["probabilities"], soon())


async def test_one_bad_picture_of_a_crowd_fails_alone(engine: Engine) -> None:
    images = [RED, BLUE, np.zeros((1, 4, 4, 3), np.uint8)] * 8
    answers = await asyncio.gather(
        *(engine.infer("tiny", "1", image, ["probabilities"], soon()) for image in images),
        return_exceptions=True,
    )
    for number, answer in enumerate(answers):
        if number % 3 == 2:
            assert isinstance(answer, OptionInvalid)
        else:
            assert not isinstance(answer, BaseException)
            assert answer["probabilities"].argmax() == 1 - number % 3


async def test_an_unknown_graph_is_not_found(engine: Engine) -> None:
    with pytest.raises(ModelNotFound):
        await engine.infer("nobody", "1", RED, ["probabilities"], soon())


async def test_catching_up_with_what_is_there_or_nowhere_returns(engine: Engine) -> None:
    before = engine.manifests()
    await engine.catch_up("tiny", "2", soon())
    await engine.catch_up("nobody", "1", Deadline.after(5))
    assert engine.manifests() == before


async def test_an_unknown_version_is_not_found(engine: Engine) -> None:
    with pytest.raises(VersionNotFound, match="1, 2"):
        await engine.infer("tiny", "7", RED, ["probabilities"], soon())


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 4, 4, 3), np.uint8), np.zeros((SIDE, SIDE, 3), np.uint8)],
)
async def test_images_of_another_shape_are_refused(
    engine: Engine, images: NDArray[np.uint8]
) -> None:
    with pytest.raises(OptionInvalid):
        await engine.infer("tiny", "1", images, ["probabilities"], soon())


async def test_an_unknown_output_is_refused(engine: Engine) -> None:
    with pytest.raises(OptionInvalid):
        await engine.infer("tiny", "1", RED, ["gradcam:conv9"], soon())


async def test_what_is_too_late_is_never_run(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        await engine.infer("tiny", "1", RED, ["probabilities"], Deadline.after(0))


async def test_a_call_that_is_given_up_disturbs_no_other(engine: Engine) -> None:
    calls = [
        asyncio.create_task(engine.infer("tiny", "1", image, ["probabilities"], soon()))
        for image in (RED, BLUE)
    ]
    await asyncio.wait(calls, timeout=0)
    calls[0].cancel()
    answer = await calls[1]
    assert answer["probabilities"].argmax() == 0
    with pytest.raises(asyncio.CancelledError):
        await calls[0]


async def test_a_closed_engine_serves_nothing(engine: Engine) -> None:
    await engine.close()
    assert not engine.manifests()
    with pytest.raises(ModelNotFound):
        await engine.infer("tiny", "1", RED, ["probabilities"], soon())
