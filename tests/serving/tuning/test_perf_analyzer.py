from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.environment import Environment
from pawsight_serving.tuning.measurements import Load
from pawsight_serving.tuning.perf_analyzer import PerfAnalyzer, prepare, read_table

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
Concurrency,Inferences/Second,Client Send,p50 latency,p90 latency,p95 latency,p99 latency
4,144.19,5,1320,4435,42175,722301
"""


def program(folder: Path, script: str) -> PerfAnalyzer:
    path = folder / "perf_analyzer"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return PerfAnalyzer(path, folder)


def test_its_table_is_in_microseconds() -> None:
    assert read_table(TABLE, 4) == Load(4, 144.19, 1.32, 722.301)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("", id="empty"),
        pytest.param(TABLE.splitlines()[0], id="no row"),
        pytest.param(TABLE + TABLE.splitlines()[1], id="two rows"),
        pytest.param(TABLE.replace("p99 latency", "other"), id="no such column"),
        pytest.param(TABLE.replace("144.19", "n/a"), id="no number"),
        pytest.param(TABLE.replace(",1320,4435,42175,722301", ""), id="half a row"),
    ],
)
def test_a_table_without_its_measurement_is_a_sentence(table: str) -> None:
    with pytest.raises(EngineUnavailable, match="table holds no measurement"):
        read_table(table, 4)


async def test_it_is_asked_for_one_load_and_its_table_is_read(tmp_path: Path) -> None:
    script = f"""
printf '%s ' "$@" > {tmp_path}/arguments
while [ "$1" != -f ]; do shift; done
cat > "$2" <<'TABLE'
{TABLE}TABLE
"""
    load = await program(tmp_path, script).measure("127.0.0.1:1", "tiny", 4, 1.5)
    assert load.pictures_per_s == 144.19
    arguments = (tmp_path / "arguments").read_text()
    assert "-m tiny -u 127.0.0.1:1 -i grpc --concurrency-range 4 -p 1500 " in arguments


async def test_where_no_answer_came_in_time_it_is_given_more(tmp_path: Path) -> None:
    script = f"""
echo "$@" >> {tmp_path}/calls
case "$*" in *'-p 200 '*) exit 99;; esac
while [ "$1" != -f ]; do shift; done
cat > "$2" <<'TABLE'
{TABLE}TABLE
"""
    await program(tmp_path, script).measure("127.0.0.1:1", "tiny", 4, 0.2)
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert "-p 200 " in first
    assert "-p 1000 " in second


async def test_where_calls_are_long_beside_a_window_it_is_given_longer_ones(tmp_path: Path) -> None:
    script = f"""
echo "$@" >> {tmp_path}/calls
while [ "$1" != -f ]; do shift; done
cat > "$2" <<'TABLE'
{TABLE.replace(",1320,", ",500000,")}TABLE
"""
    await program(tmp_path, script).measure("127.0.0.1:1", "tiny", 4, 1.0)
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert "-p 1000 " in first
    assert "-p 5000 " in second


async def test_its_failure_is_a_sentence_with_its_words_as_the_cause(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="could not measure") as caught:
        await program(tmp_path, "echo no valid requests; exit 99").measure("h:1", "tiny", 4, 0.1)
    assert "no valid requests" in str(caught.value.__cause__)


def test_where_it_cannot_be_had_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Environment(tmp_path / "nothing", "3.11", tmp_path / "a" / "b", tmp_path)
    monkeypatch.setattr(
        "pawsight_serving.tuning.perf_analyzer.installer", lambda environment: ["false"]
    )
    with pytest.raises(EngineUnavailable, match="cannot be installed"):
        prepare(nowhere, tmp_path, lambda said: None)


@pytest.mark.triton
def test_here_it_runs(triton_environment: Environment, tmp_path: Path) -> None:
    from pawsight_serving.triton_server.environment import environments_cache

    assert prepare(triton_environment, environments_cache(), print).name == "perf_analyzer"
