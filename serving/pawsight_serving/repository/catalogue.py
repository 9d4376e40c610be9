"""Finds the model version, layer or class that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.errors import (
    EngineUnavailable,
    LayerUnknown,
    ModelNotFound,
    OptionInvalid,
    TargetUnknown,
    VersionNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pawsight_serving.repository.manifest import Layer, Manifest


def newest(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return each model's newest version, by name."""
    return {manifest.name: manifest for manifest in manifests}


def find_model(
    manifests: Sequence[Manifest],
    name: str,
    version: str = "",
    *,
    default: str = "",
    broken: Collection[str] = (),
) -> Manifest:
    """Return the manifest that a request means.

    Args:
        manifests: what is loaded, newest last within a name.
        name: empty means `default`, or the only model where there is one alone.
        version: empty means the newest.
        default: name of the default model.
        broken: models of the repository that cannot be loaded; no other answers in their place.

    Raises:
        ModelNotFound, VersionNotFound: no such model or version.
        EngineUnavailable: the model is there, and cannot be loaded.
        OptionInvalid: no name was given and there is no default to take.
    """
    names = tuple(newest(manifests))
    if not name:
        there = {*names, *broken}
        if default not in there and len(there) != 1:
            raise OptionInvalid(f"Name the model; the models are: {', '.join(names) or 'none'}.")
        name = default if default in there else there.pop()
    versions = {manifest.version: manifest for manifest in manifests if manifest.name == name}
    if not versions:
        if name in broken:
            raise EngineUnavailable(
                f"Model {name!r} is broken on the server and not served now; the server's log "
                "says what is wrong with it."
            )
        raise ModelNotFound(name, names)
    if not version:
        return list(versions.values())[-1]
    if version not in versions:
        raise VersionNotFound(name, version, tuple(versions))
    return versions[version]


def find_layer(manifest: Manifest, name: str, *, conv_only: bool) -> Layer:
    """Return the layer of that name; empty means the last convolutional one.

    Raises:
        LayerUnknown: no such layer, or a pooling layer where `conv_only`.
    """
    if not name:
        return manifest.conv_layers[-1]
    layers = manifest.conv_layers if conv_only else manifest.layers
    for layer in layers:
        if layer.name == name:
            return layer
    raise LayerUnknown(name, tuple(layer.name for layer in layers))


def check_target(manifest: Manifest, name: str) -> None:
    """Raise `TargetUnknown` where the model has no class of that name."""
    if name not in manifest.classes:
        raise TargetUnknown(name, manifest.classes)
