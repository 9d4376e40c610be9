"""Certificates for both ports: read and checked once, before anything listens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from pawsight_serving.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, for the HTTP server and for the gRPC server.

    Args:
        certificate: PEM file of the certificate and its chain.
        key: PEM file of its private key.
        client_ca: PEM file of the authorities that sign callers' certificates; where it is given,
            a caller without such a certificate is turned away in the handshake.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of the HTTP server.

        Raises:
            ConfigurationInvalid: a file cannot be read, or key and certificate do not belong
                together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationInvalid(
                "The TLS certificate and key cannot be used together; "
                "check the files that --tls-certificate and --tls-key name."
            ) from error
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationInvalid(
                    "The callers' certificate authority cannot be read; "
                    "check the file that --tls-client-ca names."
                ) from error
        return context

    def credentials(self) -> grpc.ServerCredentials:
        """Return the TLS credentials of the gRPC server.

        Raises:
            ConfigurationInvalid: as `context`.
        """
        self.context()  # gRPC would tell of unusable files on standard error alone
        client_ca = None if self.client_ca is None else self.client_ca.read_bytes()
        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.certificate.read_bytes())],
            root_certificates=client_ca,
            require_client_auth=client_ca is not None,
        )
