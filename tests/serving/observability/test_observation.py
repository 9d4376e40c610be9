from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.observability.observation import Observer, current, outgoing, stage
from pawsight_serving.predictions import Prediction, Predictions
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.threads.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.observability.observed import Observed

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class Ear:
    """Hears of everything."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Observed]] = []

    def began(self, observed: Observed) -> None:
        self.heard.append(("began", observed))

    def ended(self, observed: Observed) -> None:
        self.heard.append(("ended", observed))

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[object]
    ) -> None:
        self.heard.append((f"{predictions.model} {pictures[0]!r}", observed))


def test_listeners_hear_of_the_start_the_answer_and_the_end() -> None:
    ear = Ear()
    observer = Observer(ear)
    answer = Predictions("tiny", "1", "sha256:a", [Prediction("cat", 1.0, {"cat": 1.0})])
    with observer.request("http", "predict", "mine") as observed:
        observer.predicted(answer, [b"picture"])
    assert [what for what, _ in ear.heard] == ["began", "tiny b'picture'", "ended"]
    assert (observed.model, observed.version, observed.pictures) == ("tiny", "1", 1)
    assert observed.total_s > 0
    observer.predicted(answer, [b"no request's"])
    assert len(ear.heard) == 3


def test_outside_of_a_request_nothing_is_observed() -> None:
    assert current() is None
    with stage("decode"):
        assert outgoing() == ()


async def test_waiting_for_a_thread_is_not_the_time_of_the_stage() -> None:
    workers, held, released = ThreadPool(1, "test"), threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        released.wait(10)

    def release_later() -> None:
        threading.Timer(0.2, released.set).start()

    holding = asyncio.create_task(workers.run(hold, Deadline.after(10)))
    await asyncio.to_thread(held.wait, 10)
    with Observer().request("grpc", "predict", "id") as observed, stage("decode"):
        release_later()
        await workers.run(int, Deadline.after(10))
    await holding
    workers.close()
    assert observed.seconds["queue"] > 0.1
    assert observed.seconds["decode"] < observed.seconds["queue"]
    assert [span.name for span in observed.spans] == ["decode"]


def test_a_listener_that_fails_harms_neither_the_request_nor_the_next_listener(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Deaf(Ear):
        def began(self, observed: Observed) -> None:
            raise RuntimeError(observed.method)

        ended = began

    ear = Ear()
    with Observer(Deaf(), ear).request("http", "predict", "mine") as observed:
        observed.code = "IMAGE_INVALID"
    assert [what for what, _ in ear.heard] == ["began", "ended"]
    assert len(caplog.records) == 2


@pytest.mark.parametrize("given", [None, "", "00-zz-1-01", PARENT + "x"])
def test_only_a_trace_that_is_one_is_joined(given: str | None) -> None:
    with Observer().request("http", "predict", "id", given):
        assert outgoing() == ()
    with Observer().request("http", "predict", "id", PARENT):
        assert outgoing() == (("traceparent", PARENT),)


def test_a_stage_within_another_is_not_counted_twice() -> None:
    with Observer().request("http", "predict", "id") as observed, stage("inference"):
        observed.add("decode", 9.0)
    assert observed.seconds["inference"] == 0.0
    assert observed.seconds["decode"] == 9.0
