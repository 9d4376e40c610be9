"""Which commands `pawsight` has, where each lives, and which extra brings what it needs."""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """One command of the program; its module is imported when the command is called."""

    target: str
    extra: str
    summary: str


COMMANDS: Final = {
    "serve": Entry(
        "pawsight_serving.command_line:serve",
        "serving",
        "Serve predictions and explanations over gRPC and HTTP.",
    ),
    "explainer": Entry(
        "pawsight_serving.command_line:explainer",
        "serving",
        "Run the explainability sidecar alone.",
    ),
    "train": Entry(
        "pawsight_training.command_line:train",
        "training",
        "Train a model on folders of pictures.",
    ),
    "export": Entry(
        "pawsight_export.command_line:export",
        "export",
        "Publish a trained model in the model repository.",
    ),
    "predict": Entry(
        "pawsight_client.cli.predict:predict",
        "client",
        "Ask a server what is in pictures.",
    ),
    "explain": Entry(
        "pawsight_client.cli.explain:explain",
        "client",
        "Ask a server why: Grad-CAM over the picture.",
    ),
    "activations": Entry(
        "pawsight_client.cli.activations:activations",
        "client",
        "Ask a server what a layer's channels respond to.",
    ),
}
