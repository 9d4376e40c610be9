"""Which commands `pawsight` has, where each lives, and which extra brings what it needs."""

from __future__ import annotations

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """One command: where it is imported from when called, and what `--help` says of it.

    An empty extra means that every installation can run it.
    """

    target: str
    extra: str
    summary: str


COMMANDS: Final = {
    "serve": Entry(
        "pawsight_serving.serve_command:serve",
        "serving",
        "Serve predictions and explanations over gRPC and HTTP.",
    ),
    "explainer": Entry(
        "pawsight_serving.command_line:explainer",
        "serving",
        "Run the explainability sidecar alone.",
    ),
    "key": Entry(
        "pawsight_serving.command_line:key",
        "serving",
        "Make an API key for a server's file of keys.",
    ),
    "triton": Entry(
        "pawsight_serving.command_line:triton",
        "triton",
        "Run the real Triton server on a model repository, without Docker.",
    ),
    "tune": Entry(
        "pawsight_serving.tuning.command_line:tune",
        "triton",
        "Find the Triton settings of a model that serve this machine best.",
    ),
    "data": Entry(
        "pawsight_training.data.preparation.command_line:data",
        "training",
        "Make balanced folders of pictures out of a download.",
    ),
    "train": Entry(
        "pawsight_training.command_line:train",
        "training",
        "Train a model on folders of pictures.",
    ),
    "evaluate": Entry(
        "pawsight_training.command_line:evaluate",
        "training",
        "Measure a run, or a model as it is served, on pictures.",
    ),
    "filters": Entry(
        "pawsight_training.command_line:filters",
        "training",
        "Draw what each filter of a run responds to most.",
    ),
    "pack": Entry(
        "pawsight_training.command_line:pack",
        "training",
        "Copy a run with its weights in float16.",
    ),
    "export": Entry(
        "pawsight_export.command_line:export",
        "export",
        "Publish a trained model in the model repository.",
    ),
    "repository": Entry(
        "pawsight_serving.repository.command_line:repository",
        "serving",
        "List, verify and roll back what is published.",
    ),
    "explain-check": Entry(
        "pawsight_export.explain_check.command_line:explain_check",
        "export",
        "Measure how far a model's explanations can be trusted.",
    ),
    "predict": Entry(
        "pawsight_client.cli.predict:predict",
        "",
        "Ask a server what is in pictures.",
    ),
    "explain": Entry(
        "pawsight_client.cli.explain:explain",
        "",
        "Ask a server why: Grad-CAM over the picture.",
    ),
    "activations": Entry(
        "pawsight_client.cli.activations:activations",
        "",
        "Ask a server what a layer's channels respond to.",
    ),
}
