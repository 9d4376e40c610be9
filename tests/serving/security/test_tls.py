from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.security.tls import Tls
from tests.serving.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_certificate_serves_both_kinds_of_server(authority: Authority) -> None:
    tls = Tls(*authority.issue("localhost"))
    assert tls.context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context().verify_mode == ssl.CERT_NONE
    assert tls.credentials() is not None
    mutual = Tls(*authority.issue("localhost"), authority.file)
    assert mutual.context().verify_mode == ssl.CERT_REQUIRED
    assert mutual.credentials() is not None


def test_files_that_cannot_be_used_are_one_sentence(authority: Authority, tmp_path: Path) -> None:
    pair, other, nonsense = authority.issue("a"), authority.issue("b"), tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    for certificate, key in (
        (pair.certificate, other.key),
        (nonsense, pair.key),
        (tmp_path / "missing", pair.key),
    ):
        with pytest.raises(ConfigurationInvalid, match="--tls-certificate"):
            Tls(certificate, key).credentials()
    with pytest.raises(ConfigurationInvalid, match="--tls-client-ca"):
        Tls(*pair, nonsense).context()
