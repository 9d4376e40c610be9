"""Which engine a process runs on."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pawsight_serving.errors import OptionInvalid, PackageMissing

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.engines.protocol import Engine, Graphs
    from pawsight_serving.settings import SharedSettings


def open_engine(
    repository: Path | None,
    triton: str | None = None,
    *,
    graphs: Graphs = "all",
    settings: SharedSettings | None = None,
) -> Engine:
    """Return the engine for a repository folder or for a running Triton; it is not started yet.

    An engine's libraries load with it: whoever asks a Triton needs no ONNX Runtime.

    Args:
        repository: the folder, where no Triton is named.
        triton: `HOST:PORT` of a Triton's gRPC.
        graphs: "hot" where the process never runs the `_explain` graphs.
        settings: of a process that serves: how the embedded engine follows the folder and shares
            the processor, that Triton may come later, and that a broken model holds up no other;
            without them none of it.

    Raises:
        OptionInvalid: neither was named.
        PackageMissing: the client of Triton is not installed.
    """
    if triton is not None:
        if find_spec("tritonclient") is None:
            raise PackageMissing("--triton", "Triton's client", "triton")
        from pawsight_serving.engines.triton import TritonEngine

        # Whoever serves may be started before its Triton.
        serves = settings is not None
        return TritonEngine(triton, graphs=graphs, may_come_later=serves, without_broken=serves)
    if repository is None:
        raise OptionInvalid("Name a model repository with --repository.")
    from pawsight_serving.engines.embedded import EmbeddedEngine

    if settings is None:
        return EmbeddedEngine(repository, graphs=graphs)
    from pawsight_serving.engines.sharing import Sharing

    return EmbeddedEngine(
        repository,
        graphs=graphs,
        sharing=Sharing(
            settings.engine_threads,
            settings.engine_cores,
            settings.engine_batch,
            # Few of the explainer's methods run batches, and its start holds up the gateway's.
            warm_batches=graphs == "hot",
        ),
        poll_s=settings.repository_poll_s,
        grace_s=settings.version_grace_s,
        without_broken=True,
    )
