"""Can a model be published in a repository? Asked before the minutes of work that make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_export.errors import PublicationFailed
from pawsight_serving.folder_access import fault_of
from pawsight_serving.repository.manifest import EXPLAIN_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unwritable(repository: Path, name: str) -> None:
    """Refuse where a model cannot be published, before the work that makes it.

    Nothing is written to find out: a Triton that polls the repository would load its models anew.

    Raises:
        PublicationFailed: a folder may not be written, or its place is taken by a file.
    """
    for graph in (name, name + EXPLAIN_SUFFIX):
        if fault := fault_of(repository / graph):
            raise PublicationFailed(
                f"{name} cannot be published in {repository}: {fault}; mend that, or choose "
                "another --repository."
            )
