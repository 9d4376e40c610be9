"""The error tree."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from pawsight_client import _errors as errors
from pawsight_serving import errors as serving

if TYPE_CHECKING:
    from collections.abc import Iterator

# These end a command, or a server before it could answer anybody.
NEVER_ANSWERED = {
    "FOLDER_UNREADABLE",
    "REPOSITORY_INVALID",
    "REPOSITORY_BUSY",
    "CONFIGURATION_INVALID",
    "PACKAGE_MISSING",
    "ADDRESS_UNAVAILABLE",
}
RAISED_HERE = {
    errors.PawsightError,
    errors.AnswerInvalid,
    errors.CertificateUntrusted,
    errors.ClientClosed,
    errors.DependencyMissing,
    errors.ImageUnreadable,
    errors.ServerUnreachable,
}


def tree(root: type[serving.PawsightError]) -> Iterator[type[serving.PawsightError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_each_error_of_the_server_has_its_class() -> None:
    sent = {error.code: error.__name__ for error in tree(serving.PawsightError)}
    sent = {code: name for code, name in sent.items() if code not in NEVER_ANSWERED}
    known = {
        code: kind.__name__ for code, kind in errors.BY_CODE.items() if kind not in RAISED_HERE
    }
    assert known == sent


def test_no_two_errors_share_a_code() -> None:
    kinds = [errors.PawsightError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    assert len(errors.BY_CODE) == len(kinds)


def test_the_tree_at_the_top_is_the_tree() -> None:
    assert errors.__doc__
    drawn = errors.__doc__
    for kind in errors.BY_CODE.values():
        assert kind.__name__ in drawn


def test_errors_survive_pickling() -> None:
    error = errors.Overloaded("Wait.", request_id="request-1", retry_after_s=2.0)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, errors.Overloaded)
    assert (str(copy), copy.code, copy.request_id, copy.retry_after_s) == (
        "Wait.",
        "OVERLOADED",
        "request-1",
        2.0,
    )


def test_an_unknown_code_is_kept_under_the_class_of_its_status() -> None:
    error = errors.server_error("MOON_INVALID", "No.", otherwise=errors.RequestError)
    assert type(error) is errors.RequestError
    assert error.code == "MOON_INVALID"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("0", 0.0), (None, None), ("", None), ("soon", None), ("-1", None),
     ("nan", None), ("inf", None), ("Mon, 23 Nov 2026 02:40:37 GMT", None)],
)  # fmt: skip
def test_seconds(text: str | None, value: float | None) -> None:
    assert errors.seconds(text) == value
