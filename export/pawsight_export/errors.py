"""The error tree of export.

ExportError
├── ArchitectureUnsupported     the network has a layer that the graphs cannot express
├── ParityFailed                the exported graph does not compute what the run computes
├── PlanNotBuilt                there is no TensorRT here, or it cannot build the graph
└── PublicationFailed           the repository cannot be written
"""


class ExportError(Exception):
    """Root of the tree; `str(error)` says what to do."""


class ArchitectureUnsupported(ExportError):
    """The network is no plain chain of convolutions, ReLU, 2x2 max-pools and a dense head."""


class ParityFailed(ExportError):
    """A graph's answer differs from PyTorch's or Captum's by more than the tolerance."""


class PlanNotBuilt(ExportError):
    """There is no TensorRT on this machine, or it cannot build the graph."""


class PublicationFailed(ExportError):
    """Nothing was published, and what was published before stands as it was."""
