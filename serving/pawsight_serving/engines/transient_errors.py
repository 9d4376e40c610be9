"""Which faults may be gone the next time, with the same files: of the machine, not of the model."""

from __future__ import annotations

from typing import Final

from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, RuntimeException

from pawsight_serving.errors import PawsightError

# ONNX Runtime raises these two where it finds no memory, or a device that does not answer.
_OF_THE_MACHINE: Final = (OSError, MemoryError, RuntimeException, EPFail)
# When the file comes, its folder changes.
_OF_THE_FILES: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def is_transient(error: Exception) -> bool:
    """Return whether trying again makes sense: memory, handles or a disk may have been short.

    Args:
        error: of ours with what it was raised from; anything else was not foreseen, and may pass.
    """
    if not isinstance(error, PawsightError):
        return True
    root = root_cause(error)
    return isinstance(root, _OF_THE_MACHINE) and not isinstance(root, _OF_THE_FILES)


def root_cause(error: BaseException) -> BaseException:
    """Return what an error was raised from at first; itself where that is nothing."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
