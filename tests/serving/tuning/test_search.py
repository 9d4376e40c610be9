from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.environment import Environment
from pawsight_serving.tuning import search as module
from pawsight_serving.tuning.measurements import Load
from pawsight_serving.tuning.search import Bounds, search
from pawsight_serving.tuning.settings import Setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pawsight_serving.tuning.measurements import Trial

SETTINGS = [Setting(1, 1, 0), Setting(2, 8, 0)]


class FakeClient:
    name = "a fake"

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        assert (model, seconds) == ("tiny", 0.5)
        return Load(callers, float(address) * callers, 1.0, 2.0)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Setting]:
    """The settings that were served, each under its instances as its address."""
    served: list[Setting] = []

    @asynccontextmanager
    async def serving(
        environment: Environment, repository: Path, name: str, version: str, setting: Setting
    ) -> AsyncIterator[str]:
        assert (name, version) == ("tiny", "3")
        served.append(setting)
        if setting.instances == 7:
            raise EngineUnavailable("Triton does not start.")
        yield str(setting.instances)

    monkeypatch.setattr(module, "serving", serving)
    return served


async def run(folder: Path, settings: list[Setting], limit_s: float) -> tuple[list[Trial], str]:
    said: list[str] = []
    environment = Environment(folder, "3.11", folder, folder)
    trials = await search(
        environment,
        FakeClient(),
        folder,
        ("tiny", "3"),
        settings,
        (1, 4),
        Bounds(0.5, limit_s),
        said.append,
    )
    return trials, "\n".join(said)


async def test_every_setting_is_measured_under_every_load(
    tmp_path: Path, servers: list[Setting]
) -> None:
    trials, said = await run(tmp_path, SETTINGS, 60)
    assert servers == SETTINGS
    assert [(t.setting.instances, t.load.callers, t.load.pictures_per_s) for t in trials] == [
        (1, 1, 1.0),
        (1, 4, 4.0),
        (2, 1, 2.0),
        (2, 4, 8.0),
    ]
    assert said.endswith("2/2")


async def test_what_triton_cannot_serve_is_left_out(tmp_path: Path, servers: list[Setting]) -> None:
    trials, said = await run(tmp_path, [Setting(7, 1, 0), *SETTINGS], 60)
    assert len(trials) == 4
    assert "7 instances, batches to 1, delay 0 ms is left out: Triton does not start." in said


async def test_when_time_is_up_no_setting_is_begun(tmp_path: Path, servers: list[Setting]) -> None:
    trials, said = await run(tmp_path, SETTINGS, -1)
    assert (trials, servers) == ([], [])
    assert "2 of 2 settings were not tried" in said
