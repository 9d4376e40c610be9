"""API keys: a file of their names and hashes.

A key is 32 random bytes, so one round of SHA-256 keeps it as safe as a slow hash keeps a password.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import ConfigurationInvalid, Unauthenticated

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = "x-api-key"
_BEARER: Final = "bearer "
NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINE: Final = re.compile(rf"({NAME.pattern}):([0-9a-f]{{64}})")


class ApiKeys:
    """The API keys that may call, known by their hashes.

    Args:
        hashes: SHA-256 of each key in hex, by the name of its owner.
    """

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = [(name, bytes.fromhex(digest)) for name, digest in hashes.items()]

    @classmethod
    def read(cls, file: Path) -> ApiKeys:
        """Read a file of `NAME:SHA256` lines; `#` begins a comment.

        Raises:
            ConfigurationInvalid: no such file, another line, a name twice, or no key at all.
        """
        hashes = _hashes(_text(file))
        if not hashes:
            raise ConfigurationInvalid(
                "The file of API keys holds none, so nobody could call; "
                "make one with `pawsight key NAME`."
            )
        return cls(hashes)

    def renew(self, newer: ApiKeys) -> None:
        """Know these keys from now on, and no others."""
        self._hashes = newer._hashes

    def name_of(self, authorization: str | None, key: str | None) -> str:
        """Return the name of the key that came with a request.

        Args:
            authorization: the header `Authorization`, `Bearer KEY`.
            key: the header `x-api-key`.

        Raises:
            Unauthenticated: no key came, or none that is known.
        """
        given = key or ""
        if authorization is not None and authorization.lower().startswith(_BEARER):
            given = authorization[len(_BEARER) :].strip()
        digest = hashlib.sha256(given.encode()).digest()
        # All are compared, so that the time tells nothing of which one was nearly right.
        names = [name for name, known in self._hashes if hmac.compare_digest(known, digest)]
        if not given or not names:
            raise Unauthenticated(
                "The API key is missing or unknown; send yours as `Authorization: Bearer KEY`."
            )
        return names[0]


def make_key(name: str) -> tuple[str, str]:
    """Return a new key, and the line of the file of keys that makes it known."""
    key = secrets.token_urlsafe(32)
    return key, f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


def add_line(file: Path, line: str) -> None:
    """Add what `make_key` made to a file of keys, which is made where there is none.

    Raises:
        ConfigurationInvalid: the file cannot be read or written, is none of keys, or has a key of
            that name already.
    """
    text = _text(file) if file.exists() else ""
    name = line.partition(":")[0]
    if name in _hashes(text):
        raise ConfigurationInvalid(
            f"The file has a key of {name} already; take its line out, or choose another name."
        )
    begin = "\n" if text and not text.endswith("\n") else ""
    try:
        file.touch(mode=0o600)
        with file.open("a", encoding="utf-8") as keys:
            keys.write(f"{begin}{line}\n")
    except OSError as error:
        raise ConfigurationInvalid(
            "The file of API keys cannot be written; check its folder and who may write there."
        ) from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(
            "The file of API keys cannot be read; check its name and who may read it."
        ) from error


def _hashes(text: str) -> dict[str, str]:
    hashes: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        found = _LINE.fullmatch(entry)
        if found is None or found[1] in hashes:
            raise ConfigurationInvalid(
                f"Line {number} of the file of API keys is not NAME:SHA256 with a name of its "
                "own; make one with `pawsight key NAME`."
            )
        hashes[found[1]] = found[2]
    return hashes
