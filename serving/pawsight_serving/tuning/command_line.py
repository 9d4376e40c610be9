"""`pawsight tune`."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_serving.errors import ConfigurationInvalid, EngineUnavailable
from pawsight_serving.options import REPOSITORY_OPTION
from pawsight_serving.process.processors import usable_processors
from pawsight_serving.repository.served import read_graph_config, read_model
from pawsight_serving.repository.triton_config import CONFIG_FILE
from pawsight_serving.tuning.configuration import check_writable, write_best
from pawsight_serving.tuning.measurements import best
from pawsight_serving.tuning.report import HEADER, check_plot, plot, row
from pawsight_serving.tuning.settings import candidates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_serving.tuning.measurements import Trial

_WEEK_S: Final = 7 * 24 * 3600


class Amount(click.FloatRange):
    """Click's range without NaN, which is neither below nor above any bound."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fails where it is none, or out of bounds."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers with commas between them, such as `1,4,16`."""

    name = "numbers"

    def __init__(self, least: int = 1) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers in rising order, each once."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = sorted({int(each) for each in str(value).split(",")})
        except ValueError:
            numbers = [self._least - 1]
        if numbers[0] < self._least:
            self.fail(
                f"{value!r} is no list of numbers from {self._least} on, as 1,4,16.", param, ctx
            )
        return tuple(numbers)


@click.command()
@click.argument("name")
@REPOSITORY_OPTION
@click.option(
    "--latency-ms",
    type=Amount(min=0, min_open=True, max=1000 * _WEEK_S),
    metavar="MS",
    help="Write the fastest setting whose p99 is within this into the model's configuration; "
    "without it nothing is written.",
)
@click.option(
    "--instances",
    type=Numbers(),
    default=lambda: ",".join(map(str, sorted({1, usable_processors()}))),
    help="Instance counts to try [default: 1, and one per core].",
)
@click.option(
    "--batches", type=Numbers(), default="1,8,32", show_default=True, help="Largest batches to try."
)
@click.option(
    "--delays-us",
    type=Numbers(0),
    default="0,500,2000",
    show_default=True,
    help="Queue delays to try, in microseconds: how long a request may wait for others to fill its "
    "batch.",
)
@click.option(
    "--callers",
    type=Numbers(),
    default="1,4,16",
    show_default=True,
    help="Numbers of concurrent callers to try each setting with.",
)
@click.option(
    "--measure-s",
    type=Amount(min=0.1, max=_WEEK_S),
    default=2.0,
    show_default=True,
    help="Seconds of one measurement window.",
)
@click.option(
    "--limit-s",
    type=Amount(min=1, max=_WEEK_S),
    default=900.0,
    show_default=True,
    help="Seconds after which no further setting is started.",
)
@click.option(
    "--plot",
    "plot_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to draw throughput against p99 [default: tune-NAME.png].",
)
@click.option("--own-client", is_flag=True, help="Generate the load without perf_analyzer.")
@told_in_one_sentence()
def tune(
    name: str,
    repository: Path,
    latency_ms: float | None,
    instances: tuple[int, ...],
    batches: tuple[int, ...],
    delays_us: tuple[int, ...],
    callers: tuple[int, ...],
    measure_s: float,
    limit_s: float,
    plot_path: Path | None,
    own_client: bool,
) -> None:
    """Find the Triton settings of NAME that serve this machine best.

    Each setting runs in a real Triton of its own, on this machine, and is measured under each
    number of callers, with perf_analyzer where that runs.
    """
    if latency_ms is not None:
        # Before the minutes of measuring.
        check_writable(repository, name)
    plot_path = plot_path or Path(f"tune-{name}.png")
    check_plot(plot_path)
    with _told_when_stopped(f"the configuration of {name} is as it was, and no plot was drawn"):
        sweep = Sweep(instances, batches, delays_us, callers, measure_s, limit_s)
        trials = _search(name, repository, sweep, own_client=own_client)
    if not trials:
        raise EngineUnavailable("Nothing could be measured; Triton's log above says why.")
    try:
        _conclude(name, repository, trials, latency_ms)
    finally:
        # Whether or not there was a best one: it shows what there is.
        with _told_when_stopped("the plot was not drawn"):
            _draw(name, plot_path, trials, latency_ms)


@contextmanager
def _told_when_stopped(outcome: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Stopped; {outcome}.", err=True)
        raise


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to try, and for how long; see the options of the same names."""

    instances: tuple[int, ...]
    batches: tuple[int, ...]
    delays_us: tuple[int, ...]
    callers: tuple[int, ...]
    measure_s: float
    limit_s: float


def _search(name: str, repository: Path, sweep: Sweep, *, own_client: bool) -> list[Trial]:
    from pawsight_serving.triton_server.environment import environments_cache, prepare
    from pawsight_serving.tuning.clients import choose_client
    from pawsight_serving.tuning.search import Bounds, search

    manifest = read_model(repository, name)
    environment = prepare(click.echo, environments_cache())
    client = choose_client(environment, environments_cache(), click.echo, own=own_client)
    batches, delays_us = sweep.batches, sweep.delays_us
    if not read_graph_config(repository, manifest.name).max_batch_size:
        # OpenVINO's backend has no batches, so nothing waits for one either.
        batches, delays_us = (1,), (0,)
    settings = candidates(sweep.instances, batches, delays_us)
    click.echo(
        f"{len(settings)} settings of {manifest.name} version {manifest.version}, "
        f"{manifest.precision}, measured with {client.name}; Ctrl-C ends it."
    )
    click.echo(HEADER)
    return asyncio.run(
        search(
            environment,
            client,
            repository,
            (manifest.name, manifest.version),
            settings,
            sweep.callers,
            Bounds(sweep.measure_s, sweep.limit_s),
            click.echo,
        )
    )


def _draw(name: str, path: Path, trials: list[Trial], latency_ms: float | None) -> None:
    try:
        plot(path, f"{name} in Triton on this machine", trials, latency_ms)
    except OSError as error:
        raise ConfigurationInvalid(
            f"The plot could not be written to {path}: {error.strerror or error}; name another "
            "file with --plot."
        ) from error
    click.echo(f"The plot is in {path}.")


def _conclude(name: str, repository: Path, trials: list[Trial], latency_ms: float | None) -> None:
    found = best(trials, latency_ms)
    if found is None:
        raise EngineUnavailable(
            f"No setting keeps the p99 within {latency_ms:g} ms; allow more, or try fewer callers. "
            "Nothing was written."
        )
    click.echo(f"Best:\n{HEADER}\n{row(found)}")
    if latency_ms is None:
        click.echo("Nothing was written; name a target with --latency-ms to write it.")
        return
    write_best(repository, name, found, latency_ms)
    click.echo(f"Written to {name}/{CONFIG_FILE}; a running Triton picks it up.")
