"""What the gateway's small twin answers, and what a test can make it do.

Pictures that begin with `cat` or `dog` show one; all others are no pictures.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import grpc

MODEL = "cats_dogs_scratch"
LAYER: dict[str, Any] = {
    "name": "conv4",
    "kind": "conv",
    "channels": 128,
    "height": 2,
    "width": 2,
}
MANIFEST = {"name": MODEL, "precision": "fp32", "input_size": [150, 150]}
DIGEST = "sha256:" + "0" * 64
WEIGHTS = "f" * 64
METHODS = ["grad-cam", "activations"]
SHEET = b"\x89PNG\r\n\x1a\nsheet"
OVERLAY = b"\x89PNG\r\n\x1a\noverlay"
PROBABILITIES = {"cat": {"cat": 0.75, "dog": 0.25}, "dog": {"cat": 0.125, "dog": 0.875}}
MAP = [[0.0, 0.5], [1.5, 0.25]]


@dataclass(eq=False)
class Failure(Exception):
    """What the twin answers instead; a `code` that is empty means that a proxy says it."""

    code: str
    http: int
    grpc: grpc.StatusCode
    retry_after: str = ""
    sentence: str = "Do something else."


MODEL_NOT_FOUND = Failure("MODEL_NOT_FOUND", 404, grpc.StatusCode.NOT_FOUND)
NOT_A_PICTURE = Failure("IMAGE_INVALID", 400, grpc.StatusCode.INVALID_ARGUMENT)
OVERLOADED = Failure("OVERLOADED", 429, grpc.StatusCode.RESOURCE_EXHAUSTED, "0.01")
UNAVAILABLE = Failure("ENGINE_UNAVAILABLE", 503, grpc.StatusCode.UNAVAILABLE)


@dataclass
class Twin:
    """What the twin shall do for one test, and what it has seen.

    Attributes:
        models: names of what is served.
        failures: answered to the next requests instead of what they ask.
        held: while it is not set, no picture is answered.
        seen: one entry a request: its model, version, options and headers, by name.
    """

    models: list[str] = field(default_factory=lambda: [MODEL])
    failures: deque[Failure] = field(default_factory=deque)
    held: threading.Event = field(default_factory=threading.Event)
    seen: list[dict[str, Any]] = field(default_factory=list)
    most_in_flight: int = 0
    _in_flight: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_in_flight(self, number: int) -> bool:
        """Return whether so many pictures came to be in flight at once."""
        with self._changed:
            return self._changed.wait_for(lambda: self.most_in_flight >= number, timeout=10)

    def classify(self, picture: bytes) -> str:
        with self._changed:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self._changed.notify_all()
        try:
            assert self.held.wait(timeout=20)
            if self.failures:
                raise self.failures.popleft()
            label = picture[:3].decode("latin-1")
            if label not in PROBABILITIES:
                raise NOT_A_PICTURE
            return label
        finally:
            with self._changed:
                self._in_flight -= 1


@dataclass
class Stand:
    """Servers that outlive a test; a request keeps the twin that it began with."""

    twin: Twin = field(default_factory=Twin)
    urls: dict[str, str] = field(default_factory=dict)
