from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.environment import Environment
from pawsight_serving.tuning import perf_analyzer
from pawsight_serving.tuning.clients import WithFallback, choose_client
from pawsight_serving.tuning.measurements import Load

if TYPE_CHECKING:
    from pathlib import Path


class FakeClient:
    def __init__(self, name: str, fails_under: int | None = None) -> None:
        self.name = name
        self.asked: list[int] = []
        self._fails_under = fails_under

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        self.asked.append(callers)
        if callers == self._fails_under:
            raise EngineUnavailable(f"{self.name} could not measure.")
        return Load(callers, 1.0, 1.0, 1.0)


async def test_from_the_first_failure_on_the_second_measures_and_it_is_said() -> None:
    first, second = FakeClient("one", fails_under=4), FakeClient("two")
    said: list[str] = []
    client = WithFallback(first, second, said.append)
    for callers in (1, 4, 16):
        assert (await client.measure("h:1", "tiny", callers, 0.1)).callers == callers
    assert (first.asked, second.asked) == ([1, 4], [4, 16])
    assert said == ["one could not measure. From here on the load comes from two."]
    assert client.name == "two"


async def test_where_neither_measures_that_is_the_error() -> None:
    client = WithFallback(FakeClient("one", 4), FakeClient("two", 4), lambda said: None)
    with pytest.raises(EngineUnavailable, match="two"):
        await client.measure("h:1", "tiny", 4, 0.1)


def test_where_perf_analyzer_cannot_be_had_our_own_client_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Environment(tmp_path / "nothing", "3.11", tmp_path / "a" / "b", tmp_path)
    monkeypatch.setattr(perf_analyzer, "installer", lambda environment: ["false"])
    said: list[str] = []
    assert choose_client(nowhere, tmp_path, said.append).name == "Pawsight's own client"
    assert "cannot be installed" in said[-1]
    assert "Pawsight's own client instead" in said[-1]


def test_it_can_be_left_out(tmp_path: Path) -> None:
    nowhere = Environment(tmp_path, "3.11", tmp_path, tmp_path)
    assert choose_client(nowhere, tmp_path, print, own=True).name == "Pawsight's own client"
