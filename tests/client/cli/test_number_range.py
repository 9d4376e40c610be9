"""Numbers that options refuse before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.mark.parametrize("option", ["--alpha", "--timeout"])
@pytest.mark.parametrize("number", ["nan", "-1", "inf"])
def test_a_number_that_does_not_fit_is_told_with_its_option(
    run: Callable[..., Result], url: str, cat: Path, option: str, number: str
) -> None:
    result = run("explain", cat, "--out", "overlay.png", "--server", url, option, number)
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr
