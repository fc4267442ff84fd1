"""File contents at rest: AES-256-GCM under a key in a file of mode 0600, with room for newer keys.

The newest key encrypts; older ones stay to decrypt. A content is bound to its hash, so that one encrypted
content cannot be put in the place of another.
"""

import os
from pathlib import Path

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shim_common.kernel import secrets
from shim_common.kernel.errors import Conflict

_NONCE = 12
"""Bytes of nonce, as NIST SP 800-38D recommends."""
_LEVEL = 3


class FileVault:
    """Encrypts and decrypts with the keys in a folder: `1.key`, `2.key` ..."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not _read_keys(folder):
            secrets.read_or_make(folder / "1.key")
        self._keys = _read_keys(folder)

    def rotate(self) -> int:
        """Make a new key for what is stored from now on; return its number."""
        newest = max(self._keys) + 1
        secrets.read_or_make(self._folder / f"{newest}.key")
        self._keys = _read_keys(self._folder)
        return newest

    def encrypt(self, plain: bytes, bound_to: bytes) -> tuple[int, bytes]:
        """Return the number of the key used and the compressed, encrypted bytes."""
        key_no = max(self._keys)
        nonce = os.urandom(_NONCE)
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(plain)
        return key_no, nonce + AESGCM(self._keys[key_no]).encrypt(nonce, packed, bound_to)

    def decrypt(self, key_no: int, secret: bytes, bound_to: bytes) -> bytes:
        """Return the content.

        Raises:
            Conflict: the bytes were changed, or the key is gone.
        """
        if key_no not in self._keys:
            self._keys = _read_keys(self._folder)  # another process may have made a new one
        key = self._keys.get(key_no)
        if key is None:
            raise Conflict(f"the key {key_no}.key that encrypted this is gone from {self._folder}", code="key_gone")
        try:
            packed = AESGCM(key).decrypt(secret[:_NONCE], secret[_NONCE:], bound_to)
        except (InvalidTag, ValueError) as error:  # ValueError: there is not even a whole nonce
            raise Conflict("a stored content was changed and cannot be trusted", code="integrity") from error
        return zstandard.ZstdDecompressor().decompress(packed)


def _read_keys(folder: Path) -> dict[int, bytes]:
    return {int(path.stem): secrets.read(path)[:32] for path in folder.glob("*.key") if path.stem.isdecimal()}
