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
from typing import TYPE_CHECKING, Final

from pawsight_serving.engines.listing import check_servable, list_served, state_of, state_of_version
from pawsight_serving.engines.loading import load_version
from pawsight_serving.engines.passing_faults import may_pass, root_cause
from pawsight_serving.errors import EngineUnavailable, PawsightError, RepositoryInvalid
from pawsight_serving.memory import give_back
from pawsight_serving.repository.directory import nothing_published
from pawsight_serving.repository.triton_config import CONFIG_FILE
from pawsight_serving.warned_once import WarnedOnce

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_serving.engines.listing import State
    from pawsight_serving.engines.loaded_versions import Key, LoadedVersions
    from pawsight_serving.engines.loading import LoadedVersion
    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.engines.sharing import Sharing
    from pawsight_serving.repository.manifest import Manifest

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
    """

    def __init__(
        self, repository: Path, loaded_versions: LoadedVersions, graphs: Graphs, sharing: Sharing
    ) -> None:
        self._repository = repository
        self._loaded_versions = loaded_versions
        self._graphs = graphs
        self._sharing = sharing
        self._seen: State | None = None
        self._refused: dict[Key, State] = {}
        self._warnings = WarnedOnce(logger)
        self._passing: dict[str, str] = {}
        self._retry_s = 0.0
        self._retry_at_s = math.inf
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what is served.

        Raises:
            RepositoryInvalid: nothing can be served, or a model has no version that can be.
            EngineUnavailable: no version of a model can be loaded.
        """
        await asyncio.to_thread(check_servable, self._repository)
        for name, error in (await self._look()).items():
            if not self._loaded_versions.serves(name):
                raise error
        if not self._loaded_versions.manifests:
            raise nothing_published(self._repository)

    async def look(self) -> None:
        """Take over what changed before this call; a caller that leaves interrupts nothing."""
        if self._looking is not None and not self._looking.done():
            # That look may have begun before the change that this caller knows of.
            await asyncio.wait({self._looking})
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again())
        await asyncio.shield(self._looking)

    async def stop(self) -> None:
        """Wait for the look under way."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look_again(self) -> None:
        try:
            await self._look()
        except Exception:
            # Whatever went wrong, what is loaded stays, and the next look may be luckier.
            logger.exception("the repository could not be followed")

    async def _look(self) -> dict[str, PawsightError]:
        """Return what is wrong with models whose newest version cannot be served."""
        state = await asyncio.to_thread(state_of, self._repository)
        if state == self._seen and time.monotonic() < self._retry_at_s:
            return {}
        try:
            listed = await asyncio.to_thread(list_served, self._repository)
        except RepositoryInvalid as error:
            if self._seen is None:
                raise
            # A folder that is away, such as a volume, takes nothing out of service.
            self._warnings.warn({"": f"what is loaded stays: {error}"})
            return {}
        self._passing = {}
        told: dict[str, str] = {}
        wanted: dict[Key, LoadedVersion] = {}
        kept: dict[str, PawsightError] = {}
        for name, manifests in listed.items():
            if isinstance(manifests, RepositoryInvalid):
                told[name] = f"what is loaded stays: {manifests}"
                kept[name] = manifests
                if may_pass(manifests):
                    self._passing[name] = f"{told[name]} ({root_cause(manifests)})"
            elif not manifests:
                # A folder without a configuration is no model, or is being published.
                if not (self._repository / name / CONFIG_FILE).is_file():
                    continue
                told[name] = (
                    f"{name} is not served: no version of it is published; "
                    "`pawsight repository verify` says what is wrong."
                )
            elif wrong := await self._load_each(manifests, wanted):
                kept[name] = wrong
        self._loaded_versions.change(wanted, kept, time.monotonic())
        self._warnings.warn({**told, **self._passing})
        self._seen = state
        self._plan_retry()
        return kept

    def _plan_retry(self) -> None:
        """Say when to look again though nothing changes."""
        if not self._passing:
            self._retry_s, self._retry_at_s = 0.0, math.inf
            return
        self._retry_s = min(max(2 * self._retry_s, _FIRST_RETRY_S), _LONGEST_RETRY_S)
        self._retry_at_s = time.monotonic() + self._retry_s

    async def _load_each(
        self, manifests: Sequence[Manifest], wanted: dict[Key, LoadedVersion]
    ) -> PawsightError | None:
        """Load what is not loaded yet; return what is wrong with the newest."""
        wrong: PawsightError | None = None
        for manifest in manifests:
            try:
                wanted[manifest.name, manifest.version] = await self._load(manifest)
                wrong = None
            except PawsightError as error:
                wrong = error
        return wrong

    async def _load(self, manifest: Manifest) -> LoadedVersion:
        if loaded := self._loaded_versions.loaded(manifest):
            return loaded
        key = manifest.name, manifest.version
        state = await asyncio.to_thread(state_of_version, self._repository, *key)
        if self._refused.get(key) == state:
            raise RepositoryInvalid(f"{manifest.name} version {manifest.version} was refused.")
        try:
            loaded = await asyncio.to_thread(
                load_version, self._repository, manifest, self._graphs, self._sharing
            )
        except Exception as error:
            if may_pass(error):
                what = f"{manifest.name} version {manifest.version} could not be loaded"
                self._passing[what] = f"{what}, and is tried again: {root_cause(error)!r}"
                raise EngineUnavailable(f"{what} now; try again in a moment.") from error
            self._refused[key] = state
            cause = f" ({root_cause(error)})" if error.__cause__ else ""
            logger.error("%s version %s is refused: %s%s", *key, error, cause)
            raise
        self._refused.pop(key, None)
        # A session is made of several copies of its weights, and keeps one.
        await asyncio.to_thread(give_back)
        return loaded
