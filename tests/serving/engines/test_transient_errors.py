from __future__ import annotations

import errno

import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidProtobuf, RuntimeException

from pawsight_serving.engines.transient_errors import is_transient
from pawsight_serving.errors import EngineUnavailable, RepositoryInvalid


def caused(error: Exception, *causes: Exception) -> Exception:
    """Return an error raised from the first cause, that from the second, and so on."""
    last = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


@pytest.mark.parametrize(
    "cause",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.EIO, "Input/output error"),
        PermissionError(errno.EACCES, "Permission denied"),
        MemoryError(),
        RuntimeException("std::bad_alloc"),
    ],
)
def test_what_the_machine_lacks_may_be_there_again(cause: Exception) -> None:
    assert is_transient(caused(RepositoryInvalid("unreadable"), cause))
    assert is_transient(caused(EngineUnavailable("not loaded"), EngineUnavailable("no"), cause))


def test_what_was_not_foreseen_may_pass() -> None:
    assert is_transient(RuntimeError("can't start new thread"))


@pytest.mark.parametrize(
    "error",
    [
        RepositoryInvalid("its digest differs"),
        EngineUnavailable("its answers are not finite"),
        caused(RepositoryInvalid("missing"), FileNotFoundError()),
        caused(RepositoryInvalid("no manifest"), ValueError("no JSON")),
        caused(EngineUnavailable("no graph"), EngineUnavailable("no"), InvalidProtobuf("no")),
        caused(EngineUnavailable("no graph"), EngineUnavailable("no"), Fail("no")),
    ],
)
def test_what_is_wrong_with_the_files_stays_so(error: Exception) -> None:
    assert not is_transient(error)
