"""Which loaded versions answer: those that are served, and those on their way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pawsight_serving.engines.loading import LoadedVersion
    from pawsight_serving.repository.manifest import Manifest

Key = tuple[str, str]
"""Name and version."""


class LoadedVersions:
    """The loaded versions.

    A version that is no longer served still answers for a while: its name may be on the way from a
    process that has not seen the change yet. Where no version is asked for, it answers only if the
    model has no other: a folder that is put in another's place takes no model out of service.

    Args:
        grace_s: how long that is.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._served: dict[Key, LoadedVersion] = {}
        self._leaving: dict[Key, tuple[LoadedVersion, float]] = {}
        self.manifests: tuple[Manifest, ...] = ()
        """Of all that answer; the last of a name is the one that is meant without a version."""

    def get(self, name: str, version: str) -> LoadedVersion | None:
        """Return a version that answers; None where there is none."""
        key = (name, version)
        if key in self._served:
            return self._served[key]
        return self._leaving[key][0] if key in self._leaving else None

    def loaded(self, manifest: Manifest) -> LoadedVersion | None:
        """Return this very version, served or on its way out; None where it is not loaded."""
        found = self.get(manifest.name, manifest.version)
        return found if found is not None and found.manifest == manifest else None

    def serves(self, name: str) -> bool:
        """Whether any version of a model is served."""
        return any(served == name for served, _ in self._served)

    def change(
        self, wanted: Mapping[Key, LoadedVersion], kept: Collection[str], now_s: float
    ) -> list[Key]:
        """Serve what is wanted, in one step; return what was served before and no longer is.

        Args:
            wanted: every version that is to be served; what is not in it is on its way out.
            kept: names of models whose earlier versions stay, as the newest was refused.
            now_s: the time now, on a monotonic clock.
        """
        gone = {key: found for key, found in self._served.items() if key not in wanted}
        stay = {key: found for key, found in gone.items() if key[0] in kept}
        withdrawn = [key for key in gone if key not in stay]
        for key in withdrawn:
            self._leaving[key] = (gone[key], now_s + self._grace_s)
        self._served = {**stay, **wanted}
        for key in self._served:
            self._leaving.pop(key, None)
        self._list()
        return withdrawn

    def drop_expired(self, now_s: float) -> bool:
        """Release versions whose time is over; True where there were any."""
        expired = [key for key, (_, until_s) in self._leaving.items() if until_s <= now_s]
        for key in expired:
            del self._leaving[key]
        self._list()
        return bool(expired)

    def clear(self) -> None:
        """Release everything."""
        self._served, self._leaving, self.manifests = {}, {}, ()

    def _list(self) -> None:
        leaving = [found.manifest for found, _ in self._leaving.values()]
        served = [found.manifest for found in self._served.values()]
        ranked = [
            (m.name, rank, int(m.version), m)
            for rank, ms in enumerate((leaving, served))
            for m in ms
        ]
        self.manifests = tuple(m for *_, m in sorted(ranked, key=lambda entry: entry[:3]))
