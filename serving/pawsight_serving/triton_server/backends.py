"""Triton's backends folder, made of symbolic links into the wheel."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pawsight_serving.triton_server.environment import Environment

_STUB: Final = "triton_python_backend_stub"
_LDD_TIMEOUT_S: Final = 30.0


def link_backends(environment: Environment, folder: Path) -> Path:
    """Make the backends folder in `folder` and return it.

    The wheel keeps one stub a Python version where Triton does not look; a copy of a stub would
    not find its libraries, so all are links.

    Raises:
        EngineUnavailable: the stub could not start, with which Triton would wait for ever.
    """
    wheel = environment.server
    python = folder / "backends" / "python"
    python.mkdir(parents=True)
    for name in ("libtriton_python.so", "triton_python_backend_utils.py"):
        (python / name).symlink_to(wheel / "backends" / "python" / name)
    (python / _STUB).symlink_to(wheel / "python_backend_stubs" / environment.python / _STUB)
    libraries = folder / "libraries"
    libraries.mkdir()
    if environment.library.is_file():
        (libraries / environment.library.name).symlink_to(environment.library)
    _check_stub((wheel / "python_backend_stubs" / environment.python / _STUB), folder, environment)
    return python.parent


def variables(environment: Environment, folder: Path) -> dict[str, str]:
    """Return the environment variables of a Triton whose backends were linked in `folder`.

    The stub takes the first Python of PATH for its own, and its libraries from a folder that
    holds nothing else: a Python's own folder may hold a C++ or TLS library that Triton's break on.
    """
    foreign = {"PYTHONHOME", "PYTHONPATH"}
    return {
        **{name: value for name, value in os.environ.items() if name not in foreign},
        "PATH": f"{environment.folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": os.pathsep.join(
            filter(None, [str(folder / "libraries"), os.environ.get("LD_LIBRARY_PATH")])
        ),
    }


def missing_libraries(program: Path, variables: Mapping[str, str]) -> list[str]:
    """Return the shared libraries that a program would not find."""
    told = subprocess.run(
        ["ldd", program],
        capture_output=True,
        text=True,
        env=dict(variables),
        timeout=_LDD_TIMEOUT_S,
        check=True,
    )
    return re.findall(r"^\s*(\S+) => not found", told.stdout, re.MULTILINE)


def _check_stub(stub: Path, folder: Path, environment: Environment) -> None:
    try:
        missing = missing_libraries(stub, variables(environment, folder))
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineUnavailable(
            f"Triton's Python backend cannot run on Python {environment.python} on this machine."
        ) from error
    if missing:
        raise EngineUnavailable(
            f"Triton's Python backend needs {', '.join(missing)}, which this machine lacks; "
            f"install the system's package that brings it, such as libpython{environment.python}."
        )
