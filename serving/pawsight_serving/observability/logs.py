"""The form of a process's log: text for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
import os
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from pawsight_serving.observability.libtiff import silence_libtiff
from pawsight_serving.observability.lossy_handler import LossyHandler

if TYPE_CHECKING:
    from pawsight_serving.settings import LogFormat


def start_logging(log_format: LogFormat = "text") -> None:
    """Write the log to standard error, in this form from now on."""
    # Their warnings are about single requests, and those have a line of their own.
    for library in ("uvicorn", "python_multipart"):
        logging.getLogger(library).setLevel(logging.ERROR)
    # As are those about odd pictures, which are decoded or refused whatever Pillow thinks of them.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    silence_libtiff()
    # And those of gRPC's core, such as of each TLS handshake that fails.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_lost_answer)
    handler = LossyHandler()
    handler.setFormatter(
        JsonLines()
        if log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def in_form_of_log(sentence: object, level: int = logging.INFO) -> str:
    """Return a sentence for standard output or error in the form that the log has by now.

    Whoever collects one JSON object a line from this process finds nothing else in its way.
    """
    record = logging.LogRecord("pawsight", level, "", 0, "%s", (sentence,), None)
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    json = next((each for each in formatters if isinstance(each, JsonLines)), None)
    return record.getMessage() if json is None else json.format(record)


def _is_no_lost_answer(record: logging.LogRecord) -> bool:
    """Return False for the traceback that gRPC writes where an answer does not reach its caller.

    Callers break off within an answer when they leave, or when it is larger than the message that
    they take. An answer that gRPC refuses to send is the server's fault, and another sentence.
    """
    return not (record.exc_info and str(record.exc_info[1]).startswith('Failed "execute_batch"'))


class JsonLines(logging.Formatter):
    """One JSON object a record: `time`, `level`, `logger`, and `message` or a request's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        line |= getattr(record, "request", None) or {"message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
