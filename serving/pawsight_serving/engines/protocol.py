"""What gateway and sidecar ask of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pawsight_serving.errors import PawsightError
    from pawsight_serving.repository.manifest import Manifest
    from pawsight_serving.requests.deadlines import Deadline

    Images = NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
    """A batch, or what makes it in the thread that will run the graph."""

Graphs = Literal["hot", "all"]
"""Which graphs a process runs: "hot" leaves the `_explain` graphs alone."""


class Engine(Protocol):
    """Runs the graphs of one model repository.

    Attributes:
        prepares: whether `infer` takes a function that makes the images: then a picture is decoded
            in the thread that runs the graph, and one hand-over is saved.
    """

    prepares: bool

    async def start(self) -> None:
        """Load and warm what is to be served.

        Raises:
            RepositoryInvalid: nothing there that can be served.
            EngineUnavailable: the engine cannot be reached or cannot load a graph.
        """

    def manifests(self) -> Sequence[Manifest]:
        """Return the manifests of what is loaded, one per version.

        Within a name the last one is what answers where no version is asked for; before it come
        earlier ones and, for a while, those that are no longer served.

        Raises:
            EngineUnavailable: the engine is elsewhere, and has not been reached since the start.
        """

    def faults(self) -> Mapping[str, PawsightError]:
        """Return the models of the repository of which nothing can be served now, and why."""

    def check_reachable(self) -> None:
        """Raise `EngineUnavailable` where a call would fail at once, so that nothing is prepared.

        An engine in this process is always there.
        """

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        """Look at once for a version that is not loaded here and that another process has seen.

        Returns also where the version is still not there; `manifests` says so.

        Raises:
            DeadlineExceeded: the deadline passed first.
        """

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Mapping[str, NDArray[np.float32]]:
        """Run one graph on a batch.

        Args:
            graph: `NAME` or `NAME_explain` of a loaded manifest.
            version: a loaded version.
            images: RGB pixels, uint8, [batch, height, width, 3] in the model's input size; or,
                where the engine `prepares`, a function that returns them.
            outputs: names of the outputs wanted, at least one.
            deadline: what has not started by then is never run.

        Returns:
            The outputs by name, float32, batch first.

        Raises:
            ModelNotFound, VersionNotFound: not loaded.
            OptionInvalid: the graph does not take such images or has no such output.
            Overloaded: the engine's own queue is full.
            EngineUnavailable: the engine is down or failed.
            DeadlineExceeded: the deadline passed.
        """

    async def close(self) -> None:
        """Release everything; calls under way are finished first, within a bound."""
