"""Certificates of an authority that lives as long as a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Pair(NamedTuple):
    """A certificate's file and its key's."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates, and keeps them in a folder."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str) -> Pair:
        issued = self._ca.issue_cert(name)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.private_key_pem.write_to_path(str(pair.key))
        with pair.certificate.open("wb") as file:
            file.writelines(each.bytes() for each in issued.cert_chain_pems)
        return pair
