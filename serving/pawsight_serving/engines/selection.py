"""Which engine a process runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.engines.embedded import EmbeddedEngine, Graphs
from pawsight_serving.errors import OptionInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.engines.protocol import Engine


def open_engine(
    repository: Path | None, triton: str | None = None, *, graphs: Graphs = "all"
) -> Engine:
    """Return the engine for a repository folder; it is not started yet.

    Raises:
        OptionInvalid: neither a repository nor a Triton was named, or an engine that this
            version does not have.
    """
    if triton is not None:
        raise OptionInvalid(
            "This version cannot use a Triton server yet; name a folder with --repository."
        )
    if repository is None:
        raise OptionInvalid("Name a model repository with --repository.")
    return EmbeddedEngine(repository, graphs=graphs)
