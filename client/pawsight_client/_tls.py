"""Whom a client trusts, and how it says who it is, over TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pawsight_client._errors import OptionInvalid

# Where Debian and Red Hat gather them, should OpenSSL look elsewhere.
_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
)
UNTRUSTED: Final = (
    "The certificate of {url} is not trusted, or not for that host; give the file of the authority "
    "that signed it (Tls(ca=...), --ca), and the host's name as the certificate has it."
)


@dataclass(frozen=True)
class Tls:
    """Files for `https://` and `grpcs://`; without any, the machine's authorities are trusted.

    Args:
        ca: PEM file of the authorities that sign servers' certificates.
        certificate: PEM file of the client's own certificate, where a server wants one.
        key: PEM file of its private key.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what connections are made with.

        Raises:
            OptionInvalid: a file cannot be read or used, or the certificate came without its key.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None or self.key is not None:
                if self.certificate is None or self.key is None:
                    raise OptionInvalid("Give the client's certificate and its key together.")
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise OptionInvalid(
                "The files for TLS cannot be used; check the authority's, the certificate and its "
                "key."
            ) from error
        return context

    def contents(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Return what is in `ca`, `key` and `certificate`; without `ca`, whom the machine trusts.

        Raises:
            OptionInvalid: as `context`.
        """
        self.context()
        ca, key, certificate = (
            None if path is None else Path(path).read_bytes()
            for path in (self.ca or _machines_authorities(), self.key, self.certificate)
        )
        return ca, key, certificate


def _machines_authorities() -> Path | None:
    """Return the file of whom the machine trusts, which gRPC would not look at by itself."""
    known = (ssl.get_default_verify_paths().cafile, *_AUTHORITIES)
    return next((Path(path) for path in known if path and Path(path).is_file()), None)
