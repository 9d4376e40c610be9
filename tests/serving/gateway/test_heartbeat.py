from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.gateway import heartbeat as pulses
from pawsight_serving.gateway.heartbeat import Heartbeat
from tests.serving.waiting import until

if TYPE_CHECKING:
    import pytest


async def test_silence_lasts_from_the_last_answer_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulses, "_EVERY_S", 0.01)
    alive, asked = True, 0

    async def answers() -> bool:
        nonlocal asked
        asked += 1
        return alive

    heartbeat = Heartbeat(answers)
    assert heartbeat.since_last_answer_s() == 0
    heartbeat.start()
    await until(lambda: asked > 2)
    alive = False
    await until(lambda: heartbeat.since_last_answer_s() > 0.3)
    alive = True
    await until(lambda: heartbeat.since_last_answer_s() < 0.3)
    await heartbeat.stop()
    assert heartbeat.since_last_answer_s() == 0


async def test_what_goes_wrong_while_asking_is_silence_and_no_end_of_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulses, "_EVERY_S", 0.01)
    broken = True

    async def answers() -> bool:
        if broken:
            raise RuntimeError
        return True

    heartbeat = Heartbeat(answers)
    heartbeat.start()
    await until(lambda: heartbeat.since_last_answer_s() > 0.3)
    broken = False
    await until(lambda: heartbeat.since_last_answer_s() < 0.3)
    await heartbeat.stop()
