"""What was measured, as a table and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.tuning.measurements import best

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pawsight_serving.tuning.measurements import Load, Trial
    from pawsight_serving.tuning.settings import Setting

HEADER: Final = "instances  largest batch  delay ms  callers  pictures/s   p50 ms   p99 ms"
_FORMATS: Final = (".png", ".pdf", ".svg")
_NAMED: Final = 5


def check_plot(path: Path) -> None:
    """Find out before anything is measured whether a plot could be written there.

    Raises:
        ConfigurationInvalid: it could not.
    """
    if path.suffix.lower() not in _FORMATS:
        raise ConfigurationInvalid(
            f"A plot is a file of {', '.join(_FORMATS)}; name one of these with --plot."
        )
    if not path.absolute().parent.is_dir():
        raise ConfigurationInvalid(
            f"There is no folder {path.absolute().parent} for the plot; name another with --plot."
        )


def row(trial: Trial) -> str:
    """Return a trial as a line under `HEADER`."""
    setting, load = trial.setting, trial.load
    return (
        f"{setting.instances:9}  {setting.largest_batch:13}  {setting.delay_us / 1e3:8.1f}  "
        f"{load.callers:7}  {load.pictures_per_s:10.1f}  {load.p50_ms:7.1f}  {load.p99_ms:7.1f}"
    )


def plot(path: Path, title: str, trials: Sequence[Trial], latency_ms: float | None) -> None:
    """Write the figure of `draw` to a file."""
    draw(title, trials, latency_ms).savefig(path, dpi=120)


def draw(title: str, trials: Sequence[Trial], latency_ms: float | None) -> Figure:
    """Draw each setting's way through throughput and p99 as callers grow.

    Args:
        title: what stands above it.
        trials: what was measured; at least one.
        latency_ms: the target that the best must keep to; None is none.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    _draw_ways(axes, trials)
    if latency_ms is not None:
        axes.axvline(latency_ms, color="0.3", linestyle="--", label=f"target {latency_ms:g} ms")
    if (found := best(trials, latency_ms)) is not None:
        axes.plot(
            found.load.p99_ms,
            found.load.pictures_per_s,
            marker="*",
            markersize=18,
            linestyle="",
            markerfacecolor="none",
            markeredgecolor="black",
            zorder=4,
            label=f"the best: {found.load.pictures_per_s:.0f} pictures/s",
        )
    axes.set(title=title, xlabel="p99 of a request, ms", ylabel="pictures/s", xscale="log")
    axes.margins(x=0.08)
    axes.set_ylim(0, 1.1 * max(trial.load.pictures_per_s for trial in trials))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(ScalarFormatter())
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8, title=f"the {_NAMED} fastest; all others grey")
    return figure


def _draw_ways(axes: Axes, trials: Sequence[Trial]) -> None:
    lines: dict[Setting, list[Load]] = {}
    for trial in sorted(trials, key=lambda trial: trial.load.callers):
        lines.setdefault(trial.setting, []).append(trial.load)
    ranked = sorted(lines, key=lambda s: -max(load.pictures_per_s for load in lines[s]))
    for rank, setting in enumerate(ranked):
        named = rank < _NAMED
        axes.plot(
            [load.p99_ms for load in lines[setting]],
            [load.pictures_per_s for load in lines[setting]],
            marker="o",
            color=None if named else "0.8",
            zorder=3 if named else 1,
            label=str(setting) if named else None,
        )
    for load in lines[ranked[0]]:
        axes.annotate(
            f"{load.callers} callers" if load.callers > 1 else "1 caller",
            (load.p99_ms, load.pictures_per_s),
            textcoords="offset points",
            # Above the star of the best.
            xytext=(0, 12),
            ha="center",
            fontsize=8,
        )
