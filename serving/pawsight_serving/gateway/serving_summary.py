"""What a gateway says of itself once it takes requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pawsight_serving.addresses import Address
    from pawsight_serving.gateway.child_process import ChildProcess


@dataclass(frozen=True, slots=True)
class ServingSummary:
    """A gateway that takes requests: where, what it serves, and what is wrong with the rest."""

    http: Address
    grpc: Address
    models: tuple[str, ...]
    sidecar: ChildProcess | None
    tls: bool
    broken: tuple[str, ...] = ()

    def __str__(self) -> str:
        http, rpc = ("https", "grpcs") if self.tls else ("http", "grpc")
        models = ", ".join(self.models) or "no model yet"
        return f"Pawsight serves {models} on {http}://{self.http} and {rpc}://{self.grpc}"
