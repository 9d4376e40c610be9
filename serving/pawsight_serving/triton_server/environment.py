"""The Python environment of Triton and its Python backend: made once, kept in the user's cache.

It is none of ours, because the backend needs NumPy 1 and Pawsight may run on NumPy 2, and because
the wheel with the server pins what we do not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

SERVER: Final = "nvidia-pytriton==0.7.0"
# The backend's stub exists for later ones too, but NumPy 1 does not.
PYTHONS: Final = ("3.11", "3.12")
_ONNX_RUNTIMES: Final = ("onnxruntime-openvino", "onnxruntime-gpu", "onnxruntime")
_DESCRIBE: Final = """
import importlib.util, json, sys, sysconfig
import numpy, onnxruntime
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "packages": sysconfig.get_path("purelib"),
    "library": "/".join(filter(None, map(sysconfig.get_config_var, ("LIBDIR", "INSTSONAME")))),
}))
"""
_DESCRIBE_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that holds Triton, NumPy 1 and ONNX Runtime."""

    folder: Path
    python: str
    server: Path
    """The wheel's folder with the server, its backends and their stubs."""
    library: Path
    """The shared library of this Python; not every Python has one."""

    @property
    def libraries(self) -> Path:
        """The folder of the shared libraries that came with the server's wheel."""
        return self.server.parents[1] / "nvidia_pytriton.libs"

    @property
    def executable(self) -> Path:
        """The server's program."""
        return self.server / "bin" / "tritonserver"


def prepare(say: Callable[[str], None], cache: Path, timeout_s: float = 600.0) -> Environment:
    """Return the environment; the first time it is made, which takes a minute.

    Args:
        say: is told what happens, where it takes long.
        cache: folder to keep environments in.
        timeout_s: bound on making it.

    Raises:
        EngineUnavailable: it cannot be made on this machine, or not in time.
    """
    python = platform.python_version().rpartition(".")[0]
    if python not in PYTHONS:
        raise EngineUnavailable(
            f"Triton's Python backend runs on Python {' and '.join(PYTHONS)}, and this is "
            f"{python}; install Pawsight under one of those to run `pawsight triton`."
        )
    requirements = (_onnx_runtime(), "numpy>=1.26,<2")
    digest = hashlib.sha256("\n".join((SERVER, *requirements)).encode()).hexdigest()
    folder = cache / f"python{python}-{digest[:12]}"
    found = _describe(folder)
    if found is None:
        try:
            _make(folder, requirements, say, time.monotonic() + timeout_s)
        except (OSError, subprocess.SubprocessError) as error:
            logger.error("%s", getattr(error, "stdout", None) or error)
            raise EngineUnavailable(
                f"Triton could not be installed in {cache}: it needs Linux on x86-64, a package "
                "index and 600 MB of disk; the log has what the installer says."
            ) from error
        found = _describe(folder)
    if found is None:
        raise EngineUnavailable(
            f"The environment of Triton in {folder} does not work; delete it and try again."
        )
    return found


def environments_cache() -> Path:
    """Return the folder for environments below the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pawsight" / "triton"


def installer(environment: Environment) -> list[str]:
    """Return the command that installs packages beside this environment's; uv where it is."""
    return _installer(environment.folder)[1]


def _make(
    folder: Path, requirements: Sequence[str], say: Callable[[str], None], deadline_s: float
) -> None:
    """Make the environment beside its place and rename it: nobody ever sees half of one.

    Another process may do the same meanwhile; the first that is done makes the one that stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    say(f"Making Triton's environment in {folder}, this once.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
        made = Path(part) / "environment"
        create, install = _installer(made)
        steps = (
            ("an environment of its own", create),
            (" and ".join(requirements), [*install, *requirements]),
            (f"{SERVER} (55 MB)", [*install, "--no-deps", SERVER]),
        )
        for number, (what, command) in enumerate(steps, start=1):
            say(f"  {number}/{len(steps)} {what}")
            subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=max(0.0, deadline_s - time.monotonic()),
            )
        try:
            made.rename(folder)
        except OSError:
            if _describe(folder) is not None:
                return
            # One that no longer works, such as of a Python that is gone.
            shutil.rmtree(folder)
            made.rename(folder)


def _installer(folder: Path) -> tuple[list[str], list[str]]:
    """Return the commands that create the environment and install into it; uv where it is."""
    python = str(folder / "bin" / "python")
    beside = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    if uv := shutil.which("uv", path=beside):
        return (
            [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
            # Compiled as pip does: the folder may be read-only when its Python runs.
            [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python],
        )
    return (
        [sys.executable, "-m", "venv", str(folder)],
        # Isolated, or pip would take what lies on PYTHONPATH for installed here.
        [python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
    )


def _describe(folder: Path) -> Environment | None:
    """Return what the environment is; None where there is none that works."""
    python = folder / "bin" / "python"
    if not python.exists():
        return None
    try:
        told = subprocess.run(
            [python, "-I", "-B", "-c", _DESCRIBE],
            capture_output=True,
            check=True,
            timeout=_DESCRIBE_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    facts = json.loads(told.stdout)
    found = Environment(
        folder,
        facts["python"],
        Path(facts["packages"]) / "pytriton" / "tritonserver",
        Path(facts["library"]),
    )
    return found if found.executable.is_file() else None


def _onnx_runtime() -> str:
    """Return the ONNX Runtime to install: the one that runs in this process, where one is.

    What was checked at export is then what Triton runs.
    """
    for name in _ONNX_RUNTIMES:
        try:
            return f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue
    return f"{_ONNX_RUNTIMES[0]}>=1.22"
