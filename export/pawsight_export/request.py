"""What an export is asked for, and the command that asks for it again."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pawsight_export.publishing.publication import KEEP

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_export.graphs.calibration import Method
    from pawsight_export.graphs.precisions import Precision
    from pawsight_export.publishing.staging import Engine


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A run to be exported as the next version of a model; the fields are the command's options.

    Attributes:
        run: the folder that `pawsight train` wrote.
        name: the model's name in the repository.
        repository: the model repository; made where it does not exist.
        engine: what runs the graphs in Triton: its ONNX Runtime or OpenVINO backend, a TensorRT
            plan built here, or a `model.py` in its Python backend. Pawsight's embedded engine
            runs all but the plan; the checks are made before the plan is built.
        precision: of the weights and of the hot graph's arithmetic.
        data: pictures of the classes: some of them enter the parity check, and the accuracy of
            the exported graph on `test` enters the manifest. Without it the check draws noise.
        classes: names that replace those of the folders of `data`, in folder-name order.
        calibration: pictures whose `train` shows int8 how large the maps get; None is `data`.
        calibration_method: how the ranges follow from them.
        filters: what `pawsight filters` drew of the run, to be published with the model.
        keep: how many versions to leave, newest first, this one included.
    """

    run: Path
    name: str
    repository: Path
    engine: Engine = "onnxruntime"
    precision: Precision = "fp32"
    data: Path | None = None
    classes: tuple[str, ...] = ()
    calibration: Path | None = None
    calibration_method: Method = "minmax"
    filters: Path | None = None
    keep: int = KEEP

    def command(self) -> str:
        """Return the command line of this request; what is empty is left out."""
        options = asdict(self)
        words = ["pawsight", "export", str(options.pop("run"))]
        options["classes"] = ",".join(self.classes)
        if self.precision != "int8":
            del options["calibration_method"]
        for name, value in options.items():
            if value:
                words += [f"--{name.replace('_', '-')}", str(value)]
        return shlex.join(words)
