"""The error tree of export.

ExportError
├── ArchitectureUnsupported     the network has a layer that the graphs cannot express
├── NameInvalid                 no name that a model can have
├── CalibrationMissing          below fp32 without the pictures that it is made or checked by
├── ParityFailed                the exported graph does not compute what the run computes
├── PlanNotBuilt                there is no TensorRT here, or it cannot build the graph
├── PrecisionInsufficient       a graph of lower precision loses more than it may
├── PublicationFailed           the repository cannot be written
└── TemporaryFilesUnwritable    there is no folder for temporary files, or no space in it
"""


class ExportError(Exception):
    """Root of the tree; `str(error)` says what to do."""


class ArchitectureUnsupported(ExportError):
    """The network is no plain chain of convolutions, ReLU, 2x2 max-pools and a dense head."""


class NameInvalid(ExportError):
    """The name is none that a model can have in a repository."""


class CalibrationMissing(ExportError):
    """A precision below fp32 was asked for without the pictures that it needs."""


class ParityFailed(ExportError):
    """A graph's answer differs from PyTorch's or Captum's by more than the tolerance."""


class PlanNotBuilt(ExportError):
    """There is no TensorRT on this machine, or it cannot build the graph."""


class PrecisionInsufficient(ExportError):
    """A graph of lower precision loses too many answers, or its maps point elsewhere."""


class PublicationFailed(ExportError):
    """Nothing was published, and what was published before stands as it was."""


class TemporaryFilesUnwritable(ExportError):
    """Graphs are built and tried out in temporary files, and these cannot be written."""
