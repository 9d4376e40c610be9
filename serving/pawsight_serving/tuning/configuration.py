"""The best setting, written into a model's configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.folder_access import fault_of
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.triton_config import CONFIG_FILE, write_config
from pawsight_serving.repository.writing import exclusive_writer, replace_file
from pawsight_serving.tuning.settings import remember

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.tuning.measurements import Trial


def check_writable(repository: Path, name: str) -> None:
    """Find out whether a model's configuration can be written; one that is not there passes.

    Raises:
        RepositoryInvalid: it cannot be written.
    """
    if (repository / name).is_dir() and (fault := fault_of(repository / name)):
        raise RepositoryInvalid(
            f"The configuration of {name} in {repository} cannot be written: {fault}; mend that, "
            "or leave out --latency-ms."
        )


def write_best(repository: Path, name: str, best: Trial, latency_ms: float) -> None:
    """Write the best setting, and what was measured of it, into the model's configuration.

    Args:
        repository: the model repository.
        name: the model's.
        best: the setting with its load.
        latency_ms: the target that its p99 keeps to.

    Raises:
        RepositoryInvalid: it cannot be written.
        RepositoryBusy: another process is changing the model.
    """
    figures = {
        "latency_target_ms": latency_ms,
        "callers": best.load.callers,
        "pictures_per_s": round(best.load.pictures_per_s, 1),
        "p99_ms": round(best.load.p99_ms, 2),
        "at": datetime.now(UTC).timestamp(),
    }
    setting = best.setting
    try:
        with exclusive_writer(repository, name):
            config = read_graph_config(repository, name)
            remember(config, setting, figures)
            replace_file(repository / name / CONFIG_FILE, write_config(config).encode())
    except OSError as error:
        raise RepositoryInvalid(
            f"The configuration of {name} in {repository} could not be written: "
            f"{error.strerror or error}; mend that, then tune again with --instances "
            f"{setting.instances} --batches {setting.largest_batch} --delays-us "
            f"{setting.delay_us}, the best found."
        ) from error
