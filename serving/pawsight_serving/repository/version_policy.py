"""Triton's version policy: which of a model's versions are served.

Triton's documentation: "Model Repository", Model Versions; "Model Configuration", Version Policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tritonclient.grpc import model_config_pb2 as triton

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a configuration says of single versions, as `KIND:VERSION`.
MANIFEST_PARAMETER: Final = "manifest"
PROVIDERS_PARAMETER: Final = "providers"
ARITHMETIC_PARAMETER: Final = "arithmetic"
_OF_VERSIONS: Final = frozenset({MANIFEST_PARAMETER, PROVIDERS_PARAMETER, ARITHMETIC_PARAMETER})


def policy_of(versions: Sequence[str]) -> triton.ModelVersionPolicy:
    """Return the policy that serves these versions and no others."""
    numbers = sorted(map(int, versions))
    return triton.ModelVersionPolicy(specific=triton.ModelVersionPolicy.Specific(versions=numbers))


def allowed(config: triton.ModelConfig, present: Sequence[str]) -> list[str]:
    """Return which of the versions that are there the policy serves, in rising order.

    Args:
        config: the model's configuration; one without a policy serves the newest version.
        present: the versions that are there, in rising order.
    """
    policy = config.version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return list(present)
    if choice == "specific":
        named = set(policy.specific.versions)
        return [version for version in present if int(version) in named]
    return list(present[-max(1, policy.latest.num_versions) :])


def serve_only(config: triton.ModelConfig, versions: Sequence[str], kept: Sequence[str]) -> None:
    """Make a configuration serve these versions, and forget those that are not kept.

    Args:
        config: is changed.
        versions: to serve.
        kept: the versions that stay in the repository, served or not.
    """
    config.version_policy.CopyFrom(policy_of(versions))
    forget_versions(config, kept)


def forget_versions(config: triton.ModelConfig, kept: Sequence[str] = ()) -> None:
    """Take out of a configuration what it says of single versions that are not kept."""
    for name in list(config.parameters):
        kind, _, version = name.partition(":")
        if kind in _OF_VERSIONS and version not in kept:
            del config.parameters[name]
