"""NVIDIA's perf_analyzer as the load: a compiled client that leaves the processor to the server."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server.backends import missing_libraries
from pawsight_serving.triton_server.environment import installer
from pawsight_serving.tuning.measurements import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.triton_server.environment import Environment

CLIENT: Final = "tritonclient==2.51.0"
"""The wheel that carries the program; the client that we import is a later one."""

# The program looks for these; the wheel of the server has them under names with a hash.
_LIBRARIES: Final = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}
_INSTALL_TIMEOUT_S: Final = 300.0
_WINDOWS: Final = 3
# In percent. Where one window's p99 is ten times another's, 999 is not enough: it gives up then.
_ANY_SPREAD: Final = "1000000"
_LONGER: Final = 5
# It counts what begins and ends within a window: of windows as long as ten calls a tenth is lost.
_WINDOW_CALLS: Final = 10
_LONGEST_WINDOW_S: Final = 10.0


class PerfAnalyzer:
    """Measures a model with perf_analyzer.

    Args:
        program: perf_analyzer.
        libraries: a folder with what it needs.
    """

    name = "perf_analyzer"

    def __init__(self, program: Path, libraries: Path) -> None:
        self._program = program
        self._variables = {
            **os.environ,
            "LD_LIBRARY_PATH": os.pathsep.join(
                filter(None, [str(libraries), os.environ.get("LD_LIBRARY_PATH")])
            ),
        }

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        """Return how a model does under so many callers, over about three times `seconds`.

        Where calls turn out to be long beside a window, or none ended within one, it is measured
        once more with longer ones.

        Raises:
            EngineUnavailable: the program failed; its own words are in the error's cause.
        """
        try:
            load = await self._measure(address, model, callers, seconds)
        except EngineUnavailable:
            return await self._measure(address, model, callers, _LONGER * seconds)
        needed_s = min(_WINDOW_CALLS * load.p50_ms / 1e3, _LONGEST_WINDOW_S)
        if needed_s <= seconds:
            return load
        return await self._measure(address, model, callers, needed_s)

    async def _measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        with tempfile.TemporaryDirectory(prefix="pawsight-tune-") as folder:
            table = Path(folder) / "load.csv"
            command = [
                *(str(self._program), "-m", model, "-u", address, "-i", "grpc"),
                *("--concurrency-range", str(callers), "-p", str(int(seconds * 1000))),
                # Three windows and no more, whatever their spread: the search is bounded.
                *("-r", str(_WINDOWS), "-s", _ANY_SPREAD, "--percentile", "99", "-f", str(table)),
            ]
            process = await asyncio.create_subprocess_exec(
                *command,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # Ctrl-C reaches us alone.
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(60 + 10 * seconds):
                    said, _ = await process.communicate()
            except TimeoutError as error:
                raise EngineUnavailable("perf_analyzer did not end in time.") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if process.returncode or not table.is_file():
                raise EngineUnavailable("perf_analyzer could not measure the model.") from (
                    RuntimeError(said.decode(errors="replace")[-500:])
                )
            return read_table(table.read_text(), callers)


def read_table(text: str, callers: int) -> Load:
    """Return the measurement in perf_analyzer's table; its latencies are in microseconds.

    Raises:
        EngineUnavailable: it holds no measurement, as where no call ended in time.
    """
    try:
        (row,) = csv.DictReader(text.splitlines())
        return Load(
            callers,
            pictures_per_s=float(row["Inferences/Second"]),
            p50_ms=float(row["p50 latency"]) / 1e3,
            p99_ms=float(row["p99 latency"]) / 1e3,
        )
    # TypeError: a row that ends early has None in its last columns.
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise EngineUnavailable("perf_analyzer's table holds no measurement.") from error


def prepare(environment: Environment, cache: Path, say: Callable[[str], None]) -> PerfAnalyzer:
    """Return perf_analyzer; the first time its wheel is installed, in a folder of its own.

    Raises:
        EngineUnavailable: it cannot be had or run on this machine.
    """
    folder = cache / CLIENT.replace("==", "-")
    program = folder / "packages" / "bin" / "perf_analyzer"
    libraries = folder / "libraries"
    try:
        if not program.is_file():
            say(f"Installing perf_analyzer in {folder}, this once.")
            subprocess.run(
                [*installer(environment), "--no-deps", "--target", str(program.parents[1]), CLIENT],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_INSTALL_TIMEOUT_S,
            )
        libraries.mkdir(parents=True, exist_ok=True)
        for name, pattern in _LIBRARIES.items():
            (found, *_) = environment.libraries.glob(pattern)
            (libraries / name).unlink(missing_ok=True)
            (libraries / name).symlink_to(found)
        missing = missing_libraries(program, {**os.environ, "LD_LIBRARY_PATH": str(libraries)})
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise EngineUnavailable("perf_analyzer cannot be installed on this machine.") from error
    if missing:
        raise EngineUnavailable(
            f"perf_analyzer needs {', '.join(missing)}, which this machine lacks."
        )
    return PerfAnalyzer(program, libraries)
