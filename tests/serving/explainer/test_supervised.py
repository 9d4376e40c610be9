from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from pawsight_serving.addresses import Address
from pawsight_serving.settings import ExplainerSettings
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


def start(settings: ExplainerSettings) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pawsight_serving.explainer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(settings.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    return process


def test_it_says_its_address_and_ends_with_its_input(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with start(ExplainerSettings(repository=tmp_path, grpc=Address("127.0.0.1", 0))) as process:
        assert process.stdout is not None
        address = Address.parse(json.loads(process.stdout.readline())["address"])
        assert (address.host, address.port > 0) == ("127.0.0.1", True)
        out, _ = process.communicate(timeout=20)
        assert (out, process.returncode) == (b"", 0)


def test_one_whose_parent_goes_during_its_start_ends_with_it(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with start(ExplainerSettings(repository=tmp_path, grpc=Address("127.0.0.1", 0))) as process:
        out, error = process.communicate(timeout=20)
    assert (out, process.returncode) == (b"", 0)
    assert b"Traceback" not in error


def test_a_signal_ends_it_as_cleanly(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with start(ExplainerSettings(repository=tmp_path, grpc=Address("127.0.0.1", 0))) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 0


def test_a_bad_repository_is_one_sentence(tmp_path: Path) -> None:
    with start(ExplainerSettings(repository=tmp_path / "missing")) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # Its input stays open: a process whose parent has gone tells nobody anything.
        out, error = process.stdout.read(), process.stderr.read()
        assert (out, process.wait(20)) == (b"", 1)
    assert error.decode().startswith("The explainer cannot start: There is no model repository")
    assert b"Traceback" not in error


def test_a_parent_that_ends_before_it_gave_settings_is_no_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pawsight_serving.explainer"],
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
