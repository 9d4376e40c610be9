from __future__ import annotations

import asyncio

import pytest

from pawsight_serving.gateway.signs_of_life import SignsOfLife


class Clock:
    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pawsight_serving.gateway.signs_of_life.time", clock)
    return clock


def looks(signs: SignsOfLife, clock: Clock, times: int, unanswered_s: float = 0.0) -> float:
    """Return what the last of several looks says, a second apart."""
    for _ in range(times):
        clock.now_s += 1
        silent_s = signs.look(unanswered_s)
    return silent_s


async def test_one_is_silent_without_signs_or_without_answers(clock: Clock) -> None:
    said = asyncio.StreamReader()
    signs = SignsOfLife(said)
    hearing = asyncio.create_task(signs.hear())
    assert looks(signs, clock, 9) == 9
    said.feed_data(b"\n")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert signs.look(0.0) == 0
    assert signs.look(6.0) == 6
    assert looks(signs, clock, 2) == 2
    said.feed_eof()
    await asyncio.wait_for(hearing, 10)


async def test_the_time_for_which_this_process_was_stopped_does_not_count(clock: Clock) -> None:
    signs = SignsOfLife(asyncio.StreamReader())
    looks(signs, clock, 3)
    clock.now_s += 60
    assert signs.look(63) == 0
    assert looks(signs, clock, 4, unanswered_s=67) == 4
