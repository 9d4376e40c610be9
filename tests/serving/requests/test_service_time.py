from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable, ImageInvalid
from pawsight_serving.requests.service_time import ServiceTime

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let so many seconds go by."""
    now_s = 100.0

    def pass_by(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    monkeypatch.setattr("time.monotonic", lambda: now_s)
    return pass_by


def crowd(service_time: ServiceTime, later: Clock, size: int, each_s: float) -> None:
    """Let so many come at once, and be done one after another."""
    works = [ExitStack() for _ in range(size)]
    for work in works:
        work.enter_context(service_time.work(1))
    for work in works:
        later(each_s)
        work.close()


def test_nothing_is_expected_of_an_empty_queue_or_before_the_first_answer(later: Clock) -> None:
    service_time = ServiceTime()
    assert service_time.until_done_s() == 0
    with service_time.work(3):
        assert (service_time.in_work, service_time.until_done_s()) == (3, 0)
        later(0.5)
    assert (service_time.in_work, service_time.until_done_s()) == (0, 0)


def test_each_in_work_keeps_the_next_one_waiting(later: Clock) -> None:
    service_time = ServiceTime()
    crowd(service_time, later, 40, 0.01)
    with service_time.work(9):
        assert service_time.until_done_s() == pytest.approx(0.1)
        assert service_time.until_done_s(11) == pytest.approx(0.2)


def test_an_engine_that_does_many_at_once_is_known_by_what_a_crowd_waits(later: Clock) -> None:
    """Alone a picture takes 20 ms; eight at once take no longer."""
    service_time = ServiceTime()
    crowd(service_time, later, 1, 0.02)
    for _ in range(20):
        with ExitStack() as together:
            for _ in range(8):
                together.enter_context(service_time.work(1))
            later(0.02)
    with service_time.work(79):
        assert service_time.until_done_s() == pytest.approx(0.5, rel=0.2)


def test_it_follows_a_change_within_a_few_dozen_pictures(later: Clock) -> None:
    service_time = ServiceTime()
    crowd(service_time, later, 50, 0.1)
    crowd(service_time, later, 100, 0.01)
    with service_time.work(9):
        assert service_time.until_done_s() == pytest.approx(0.1, rel=0.1)


def test_while_nothing_moves_no_less_is_expected_than_has_passed(later: Clock) -> None:
    service_time = ServiceTime()
    later(30)
    crowd(service_time, later, 10, 0.01)
    later(30)
    with service_time.work(1):
        assert service_time.until_done_s() == pytest.approx(0.02), "rest is no standstill"
        later(5)
        assert service_time.until_done_s() == 5
        crowd(service_time, later, 1, 0)
        assert service_time.until_done_s() < 0.1


def test_a_bad_picture_moves_the_queue_and_a_broken_engine_does_not(later: Clock) -> None:
    service_time = ServiceTime()
    with service_time.work(1):
        later(5)
        with pytest.raises(EngineUnavailable), service_time.work(1):
            raise EngineUnavailable("Down.")
        assert service_time.until_done_s() == 5
        with pytest.raises(ImageInvalid), service_time.work(1):
            raise ImageInvalid("None.")
        assert service_time.until_done_s() == 0


async def test_who_leaves_is_no_longer_counted_and_teaches_nothing(later: Clock) -> None:
    service_time = ServiceTime()
    crowd(service_time, later, 10, 0.01)

    async def work() -> None:
        with service_time.work(1):
            await asyncio.Event().wait()

    leaving = asyncio.create_task(work())
    await asyncio.sleep(0)
    assert service_time.in_work == 1
    later(60)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert service_time.in_work == 0
    with service_time.work(9):
        assert service_time.until_done_s() == pytest.approx(0.1)
