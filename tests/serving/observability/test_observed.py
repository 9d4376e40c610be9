from __future__ import annotations

from pawsight_serving.observability.observed import QUEUE, Observed, Span


def test_a_stage_takes_what_no_other_took_meanwhile() -> None:
    observed = Observed("grpc", "predict", "id")
    observed.add("decode", 1.0)
    before = observed.times()
    observed.add(QUEUE, 2.0)
    observed.add_stage(Span("inference", 0, 5), 5.0, before)
    assert observed.seconds == {"decode": 1.0, QUEUE: 2.0, "inference": 3.0}


def test_pictures_that_wait_side_by_side_wait_no_longer_than_their_stage() -> None:
    observed = Observed("grpc", "predict", "id")
    before = observed.times()
    for _ in range(3):
        observed.add(QUEUE, 2.0)
    observed.add_stage(Span("decode", 0, 3), 3.0, before)
    assert observed.seconds == {QUEUE: 3.0, "decode": 0.0}


def test_what_a_thread_adds_after_the_end_changes_nothing() -> None:
    observed = Observed("grpc", "predict", "id")
    observed.add("decode", 1.0)
    before = observed.times()
    observed.end()
    observed.add(QUEUE, 1.0)
    observed.add_stage(Span("inference", 0, 5), 5.0, before)
    assert (observed.seconds, observed.spans) == ({"decode": 1.0}, [])
