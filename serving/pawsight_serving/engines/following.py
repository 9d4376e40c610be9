"""Keeping what is loaded in step with a repository, as a polling Triton does.

A new version is loaded beside the old one, run, and only then served. A version that is broken is
refused with one line in the log until its files change, and what was served stays. One that could
not be loaded for want of memory, handles or a disk is tried again, at growing distances.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from typing import TYPE_CHECKING, Final

from pawsight_serving.engines.listing import list_served, state_of, state_of_version
from pawsight_serving.engines.loading import load_version
from pawsight_serving.engines.single_flight import SingleFlight
from pawsight_serving.engines.transient_errors import is_transient, root_cause
from pawsight_serving.errors import (
    EngineUnavailable,
    FolderUnreadable,
    PawsightError,
    RepositoryInvalid,
)
from pawsight_serving.observability.warned_once import WarnedOnce
from pawsight_serving.process.memory import give_back
from pawsight_serving.repository.directory import nothing_published
from pawsight_serving.repository.triton_config import CONFIG_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pawsight_serving.engines.listing import State
    from pawsight_serving.engines.loaded_versions import Key, LoadedVersions
    from pawsight_serving.engines.loading import LoadedVersion
    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.engines.sharing import Sharing
    from pawsight_serving.repository.manifest import Manifest

    Listing = Mapping[str, Sequence[Manifest | RepositoryInvalid]]
    """What `list_served` has found."""

logger = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0


class Follower:
    """Looks at a repository and changes what is loaded; one look at a time.

    Args:
        repository: the folder.
        loaded_versions: what is loaded; changed on the event loop alone.
        graphs: which graphs to load.
        sharing: how calls share the processor.

    Attributes:
        faults: models of which nothing can be served now, and why.
    """

    def __init__(
        self, repository: Path, loaded_versions: LoadedVersions, graphs: Graphs, sharing: Sharing
    ) -> None:
        self.faults: dict[str, PawsightError] = {}
        self._repository = repository
        self._loaded_versions = loaded_versions
        self._graphs = graphs
        self._sharing = sharing
        self._seen: State | None = None
        self._refused: dict[Key, tuple[State, Exception]] = {}
        self._warnings = WarnedOnce(logger)
        self._passing: dict[str, str] = {}
        self._retry_s = 0.0
        self._retry_at_s = math.inf
        self._looks = SingleFlight(self._look_again)

    async def start(self, *, without_broken: bool = False) -> None:
        """Load what is served.

        Args:
            without_broken: whether the other models do where one is broken.

        Raises:
            RepositoryInvalid: nothing can be served, or a model has no version that can be.
            EngineUnavailable: no version of a model can be loaded.
        """
        await self._look()
        served = self._loaded_versions.manifests
        for error in self.faults.values():
            if not (served and without_broken):
                raise error
        if not served:
            raise nothing_published(self._repository)

    async def look(self) -> None:
        """Take over what changed before this call; a caller that leaves interrupts nothing."""
        await self._looks.run()

    async def stop(self) -> None:
        """Wait for the look under way."""
        await self._looks.finish()

    async def _look_again(self) -> None:
        try:
            await self._look()
        except Exception:
            # Whatever went wrong, what is loaded stays, and the next look may be luckier.
            logger.exception("the repository could not be followed")

    async def _look(self) -> None:
        state = await asyncio.to_thread(state_of, self._repository)
        if state == self._seen and time.monotonic() < self._retry_at_s:
            return
        if (listed := await self._list()) is None:
            return
        await self._take_over(listed)
        self._seen = state
        self._plan_retry()

    async def _list(self) -> Listing | None:
        """Return what is to be served; None where that cannot be seen now: what is loaded stays."""
        try:
            listed = await asyncio.to_thread(list_served, self._repository)
        except RepositoryInvalid as error:
            if self._seen is None:
                raise
            # A folder that is away, such as a volume, takes nothing out of service.
            self._warnings.warn({"": f"what is loaded stays: {error}"})
            return None
        if self._seen is not None and not any(listed.values()):
            # Most likely the empty place that a volume is mounted on.
            self._warnings.warn(
                {"": f"what is loaded stays: {nothing_published(self._repository)}"}
            )
            return None
        return listed

    async def _take_over(self, listed: Listing) -> None:
        """Load what is listed and not loaded yet, and let go of what is listed no more."""
        self._passing = {}
        told: dict[str, str] = {}
        wanted: dict[Key, LoadedVersion] = {}
        kept: dict[str, PawsightError] = {}
        for name, versions in listed.items():
            if not versions:
                # A folder without a configuration is no model, or is being published.
                if not (self._repository / name / CONFIG_FILE).is_file():
                    continue
                told[name] = (
                    f"{name} is not served: no version of it is published; "
                    "`pawsight repository verify` says what is wrong."
                )
            elif wrong := await self._load_each(versions, wanted):
                kept[name] = wrong
        for name, version in self._loaded_versions.change(wanted, kept, time.monotonic()):
            logger.info("%s version %s is no longer served", name, version)
        self.faults = {
            name: wrong
            for name, wrong in kept.items()
            # A folder that may not be looked into is most likely none of a model.
            if not self._loaded_versions.serves(name) and not isinstance(wrong, FolderUnreadable)
        }
        told |= self._unreadable(listed)
        self._warnings.warn({**told, **self._passing})

    def _plan_retry(self) -> None:
        """Say when to look again though nothing changes."""
        if not self._passing:
            self._retry_s, self._retry_at_s = 0.0, math.inf
            return
        self._retry_s = min(max(2 * self._retry_s, _FIRST_RETRY_S), _LONGEST_RETRY_S)
        self._retry_at_s = time.monotonic() + self._retry_s

    async def _load_each(
        self, versions: Sequence[Manifest | RepositoryInvalid], wanted: dict[Key, LoadedVersion]
    ) -> PawsightError | None:
        """Load what is not loaded yet; return what is wrong with the newest."""
        wrong: PawsightError | None = None
        for each in versions:
            if isinstance(each, RepositoryInvalid):
                wrong = each
                continue
            try:
                wanted[each.name, each.version] = await self._load(each)
                wrong = None
            except PawsightError as error:
                wrong = error
        return wrong

    def _unreadable(self, listed: Listing) -> dict[str, str]:
        """Return what the log says of manifests and configurations; see which may pass."""
        told: dict[str, str] = {}
        for name, versions in listed.items():
            serves = self._loaded_versions.serves(name)
            stays = "what is loaded stays" if serves else f"{name} is not served"
            for each in versions:
                if isinstance(each, RepositoryInvalid):
                    told[str(each)] = f"{stays}: {each}"
                    if is_transient(each):
                        self._passing[str(each)] = f"{told[str(each)]} ({root_cause(each)})"
        return told

    async def _load(self, manifest: Manifest) -> LoadedVersion:
        if loaded := self._loaded_versions.loaded(manifest):
            return loaded
        key = manifest.name, manifest.version
        state = await asyncio.to_thread(state_of_version, self._repository, *key)
        refused_at, refusal = self._refused.get(key, (None, None))
        if refusal is not None and refused_at == state:
            raise refusal.with_traceback(None)
        try:
            loaded = await asyncio.to_thread(
                load_version, self._repository, manifest, self._graphs, self._sharing
            )
        except Exception as error:
            _forget_frames(error)
            if is_transient(error):
                what = f"{manifest.name} version {manifest.version} could not be loaded"
                self._passing[what] = f"{what}, and is tried again: {root_cause(error)!r}"
                raise EngineUnavailable(f"{what} now; try again in a moment.") from error
            self._refused[key] = state, error
            cause = f" ({root_cause(error)})" if error.__cause__ else ""
            logger.error("%s version %s is refused: %s%s", *key, error, cause)
            raise
        self._refused.pop(key, None)
        # A session is made of several copies of its weights, and keeps one.
        await asyncio.to_thread(give_back)
        return loaded


def _forget_frames(error: BaseException) -> None:
    """Let go of what the functions held that failed: a graph's bytes, and sessions of its parts.

    The error is kept as long as its version is refused, and the next try may need that memory.
    """
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__
