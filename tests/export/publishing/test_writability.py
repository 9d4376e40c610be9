from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_export.errors import PublicationFailed
from pawsight_export.publishing.writability import refuse_unwritable

if TYPE_CHECKING:
    from pathlib import Path


def test_where_nothing_can_be_written_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    refuse_unwritable(repository, "tiny")
    assert not repository.exists()
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr("os.access", lambda folder, _: folder != repository.parent)
    with pytest.raises(PublicationFailed, match=r"may not be written; .* --repository"):
        refuse_unwritable(repository, "tiny")
    (repository / "tiny").mkdir(parents=True)
    (repository / "tiny_explain").touch()
    with pytest.raises(PublicationFailed, match="tiny_explain is no folder"):
        refuse_unwritable(repository, "tiny")
