"""What Triton's Python backend runs: the `model.onnx` beside this file.

It stands alone, because the backend's Python is not the one that Pawsight is installed in.
Triton's documentation: "Python Backend", Usage.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from collections.abc import Sequence


class TritonPythonModel:
    """Answers all requests of one execution with one run of the graph."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph; what goes wrong here stands in Triton's log and keeps the model out."""
        # The backend reads and writes arrays by NumPy 1's layout: under NumPy 2 every answer
        # would be zeros, without an error.
        if int(np.__version__.partition(".")[0]) >= 2:
            raise pb_utils.TritonModelException(
                f"NumPy {np.__version__} corrupts tensors in Triton's Python backend; "
                "install numpy<2 in the backend's environment."
            )
        try:
            import onnxruntime
        except ImportError as error:
            raise pb_utils.TritonModelException(
                "The Python backend's environment has no ONNX Runtime; "
                "install onnxruntime and numpy<2 there."
            ) from error
        version = args["model_version"]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        config = json.loads(args["model_config"])
        arithmetic = config["parameters"].get(f"arithmetic:{version}", {}).get("string_value")
        if arithmetic == "fp32":
            # Weights that lie packed in the file are unpacked once, here, and not at every call.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        threads = _threads(config)
        # A number that is set also keeps ONNX Runtime from binding its threads to cores.
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            Path(args["model_repository"]) / version / "model.onnx",
            options,
            providers=_providers(args, onnxruntime.get_available_providers(), threads),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Return one response a request, with the outputs that it asked for and no others."""
        images = [pb_utils.get_input_tensor_by_name(r, "image").as_numpy() for r in requests]
        wanted = [r.requested_output_names() for r in requests]
        names = sorted(set().union(*wanted))
        batch = images[0] if len(images) == 1 else np.concatenate(images)
        values = dict(zip(names, self._session.run(names, {"image": batch}), strict=True))
        responses = []
        start = 0
        for outputs, pictures in zip(wanted, images, strict=True):
            stop = start + len(pictures)
            responses.append(
                pb_utils.InferenceResponse(
                    [pb_utils.Tensor(name, values[name][start:stop]) for name in outputs]
                )
            )
            start = stop
        return responses


def _threads(config: dict[str, Any]) -> int:
    """Return how many threads this instance computes with.

    Two instances have all processors each: they take turns, as one computes while the other waits
    for its requests. More of them share.
    """
    instances = sum(group.get("count", 1) for group in config.get("instance_group", ()))
    processors: int = len(os.sched_getaffinity(0))
    return max(1, min(processors, 2 * processors // max(1, int(instances))))


def _providers(
    args: dict[str, str], available: Sequence[str], threads: int
) -> list[tuple[str, dict[str, str]]]:
    """Return the configured execution providers that are there, on this instance's device."""
    parameters = json.loads(args["model_config"])["parameters"]
    configured = json.loads(parameters[f"providers:{args['model_version']}"]["string_value"])
    chosen = []
    for name, options in configured:
        is_gpu = name in {"CUDAExecutionProvider", "TensorrtExecutionProvider"}
        if name not in available or (is_gpu and args["model_instance_kind"] != "GPU"):
            continue
        if name == "OpenVINOExecutionProvider":
            properties = json.loads(options["load_config"])
            # One execution runs at a time: all of the share for it.
            properties["CPU"] |= {"NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads)}
            options = {**options, "load_config": json.dumps(properties)}
        device = {"device_id": args["model_instance_device_id"]} if is_gpu else {}
        chosen.append((name, {**options, **device}))
    return chosen
