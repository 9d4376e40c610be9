"""Keeping what is loaded in step with a repository, as a polling Triton does.

A new version is loaded beside the old one, run, and only then served. A version that is broken is
refused with one line in the log, and what was served stays.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from pawsight_serving.engines.listing import list_served, state_of, state_of_version
from pawsight_serving.engines.loading import load_version
from pawsight_serving.errors import PawsightError, RepositoryInvalid
from pawsight_serving.memory import give_back
from pawsight_serving.repository.directory import nothing_published

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pawsight_serving.engines.listing import State
    from pawsight_serving.engines.loaded_versions import Key, LoadedVersions
    from pawsight_serving.engines.loading import LoadedVersion
    from pawsight_serving.engines.protocol import Graphs
    from pawsight_serving.engines.sessions import Sharing
    from pawsight_serving.repository.manifest import Manifest

logger = logging.getLogger(__name__)


class Follower:
    """Looks at a repository and changes a line-up; one look at a time.

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
        self._told: dict[str, str] = {}
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load what is served.

        Raises:
            RepositoryInvalid: nothing can be served, or a model has no version that can be.
            EngineUnavailable: no version of a model can be loaded.
        """
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
        if state == self._seen:
            return {}
        try:
            listed = await asyncio.to_thread(list_served, self._repository)
        except RepositoryInvalid as error:
            if self._seen is None:
                raise
            # A folder that is away, such as a volume, takes nothing out of service.
            self._tell("", error)
            return {}
        wanted: dict[Key, LoadedVersion] = {}
        kept: dict[str, PawsightError] = {}
        for name, manifests in listed.items():
            if isinstance(manifests, RepositoryInvalid):
                self._tell(name, manifests)
                kept[name] = manifests
            elif wrong := await self._load_each(manifests, wanted):
                kept[name] = wrong
        self._loaded_versions.change(wanted, kept, time.monotonic())
        self._seen = state
        return kept

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
        except PawsightError as error:
            self._refused[key] = state
            logger.error(
                "%s version %s is refused: %s%s",
                *key,
                error,
                f" ({error.__cause__.__cause__})" if error.__cause__ else "",
            )
            raise
        self._refused.pop(key, None)
        # A session is made of several copies of its weights, and keeps one.
        await asyncio.to_thread(give_back)
        return loaded

    def _tell(self, name: str, error: PawsightError) -> None:
        """Log what keeps a model as it is, once."""
        if self._told.get(name) != str(error):
            self._told[name] = str(error)
            logger.warning("what is loaded stays: %s", error)
