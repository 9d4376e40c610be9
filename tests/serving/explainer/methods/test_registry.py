from __future__ import annotations

from pawsight_serving.explainer.methods.registry import DEFAULT_METHOD, METHODS


def test_the_methods_are_the_contracts() -> None:
    assert set(METHODS) == {"grad-cam", "activations"}
    assert DEFAULT_METHOD == "grad-cam"
