from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from pawsight_serving.observability.logs import JsonLines
from pawsight_serving.observability.observation import Observer, failed_with, identified_as, stage
from pawsight_serving.observability.request_log import RequestLog

if TYPE_CHECKING:
    import pytest

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def log_one(caplog: pytest.LogCaptureFixture, method: str = "predict") -> list[logging.LogRecord]:
    with (
        caplog.at_level(logging.INFO, "pawsight.requests"),
        Observer(RequestLog("pawsight")).request("http", method, "mine", PARENT),
        stage("decode"),
    ):
        identified_as("alice")
        failed_with("IMAGE_INVALID")
    return caplog.records


def test_one_line_a_request(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = log_one(caplog)
    text = record.getMessage()
    for part in (
        *(
            "service=pawsight",
            "request_id=mine",
            "protocol=http",
            "method=predict",
            "code=IMAGE_INVALID",
        ),
        *("caller=alice", f"trace={'a' * 32}"),
    ):
        assert part in text
    assert "model=" not in text


def test_as_json_it_is_one_object(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = log_one(caplog)
    line = JsonLines().format(record)
    assert "\n" not in line
    said = json.loads(line)
    assert set(said) == {
        *("time", "level", "logger", "service", "request_id", "protocol", "method", "code", "ms"),
        *("decode_ms", "model", "version", "pictures", "caller", "trace"),
    }
    assert said["ms"] >= said["decode_ms"] >= 0


def test_other_records_are_objects_too() -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        given = (type(error), error, error.__traceback__)
    record = logging.LogRecord("here", logging.ERROR, "", 1, "it %s", ("broke",), given)
    said = json.loads(JsonLines().format(record))
    assert (said["message"], said["level"], said["logger"]) == ("it broke", "ERROR", "here")
    assert "ZeroDivisionError" in said["exception"]


def test_probes_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert log_one(caplog, "ready") == []
