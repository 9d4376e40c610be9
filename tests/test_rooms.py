"""The arrows between the rooms: who may import whom."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ROOMS = {
    "pawsight_client",
    "pawsight_serving",
    "pawsight_training",
    "pawsight_export",
    "pawsight_proto",
}
MAY_IMPORT = {
    "pawsight_proto": set[str](),
    "pawsight_client": {"pawsight_proto"},
    "pawsight_serving": {"pawsight_proto"},
    "pawsight_training": {"pawsight_serving"},
    "pawsight_export": {"pawsight_serving", "pawsight_training"},
}
# What a room must do without, so that its extra stays as small as it says.
MUST_NOT_LOAD = {
    "pawsight_client": {"numpy", "PIL", "pydantic", "torch", "onnxruntime", "fastapi"},
    "pawsight_serving": {"torch", "torchvision", "lightning", "onnx"},
    "pawsight_training": {"onnx", "onnxruntime", "captum", "fastapi", "grpc"},
}

WALK = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    loaded = {name.partition(".")[0] for name in loaded_by(room)}
    assert loaded & ROOMS - {room} <= MAY_IMPORT[room]
    assert not loaded & MUST_NOT_LOAD.get(room, set())


@pytest.mark.parametrize(("server", "other"), [("gateway", "explainer"), ("explainer", "gateway")])
def test_the_two_servers_import_nothing_of_each_other(server: str, other: str) -> None:
    loaded = loaded_by(f"pawsight_serving.{server}")
    assert f"pawsight_serving.{server}.main" in loaded
    assert f"pawsight_serving.{other}" not in loaded


def loaded_by(package: str) -> set[str]:
    """Return every module that is loaded once all of a package's are."""
    walk = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WALK, package],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(walk.stdout.splitlines()[-1]))
