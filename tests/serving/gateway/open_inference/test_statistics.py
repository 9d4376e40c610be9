from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.gateway.open_inference.shared_figures import SharedFigures
from pawsight_serving.gateway.open_inference.statistics import Statistics

if TYPE_CHECKING:
    from pathlib import Path


def test_a_graph_that_never_ran_has_zeros() -> None:
    assert Statistics().of("tiny", "1").success.count == 0


def test_processes_that_share_their_figures_tell_the_same(tmp_path: Path) -> None:
    processes = [Statistics(SharedFigures(tmp_path, 6)) for _ in range(2)]
    for statistics in processes:
        with statistics.execution("tiny", "1", pictures=3):
            pass
    with pytest.raises(EngineUnavailable), processes[0].execution("tiny", "1", pictures=3):
        raise EngineUnavailable("dead")
    one, two = (statistics.of("tiny", "1") for statistics in processes)
    assert one == two
    assert (one.success.count, one.fail.count, one.pictures) == (2, 1, 6)
    assert one.success.ns > 0
    assert one.last_ms > 1_700_000_000_000
    assert processes[0].of("tiny", "2").success.count == 0
