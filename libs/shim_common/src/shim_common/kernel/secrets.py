"""Secrets in files: made once, readable by their owner alone."""

import os
import secrets
from pathlib import Path

from shim_common.kernel.errors import Forbidden

SECRET_BYTES = 32
"""256 random bits, as for any bearer secret (NIST SP 800-63B asks for at least 112)."""
_LEAST_DIFFERENT = 10
"""Different bytes in a secret: 32 random bytes, or 43 letters of base64, have fewer less than once in 10**26."""


def read_or_make(path: Path) -> bytes:
    """Return the secret in the file, making file and secret if there is none.

    Two processes that start together agree on one secret: the file appears whole, by a link.

    Raises:
        Forbidden: others can read the file, or it holds too little to be a secret.
    """
    try:
        return read(path)
    except FileNotFoundError:
        write_private(path, secrets.token_bytes(SECRET_BYTES), keep_existing=True)
        return read(path)


def read(path: Path) -> bytes:
    """Return the secret in the file.

    Raises:
        FileNotFoundError: there is no such file.
        Forbidden: others can read the file, or it holds too little to be a secret.
    """
    if path.stat().st_mode & 0o077:
        raise Forbidden(f"{path} can be read by others; run: chmod 600 {path}", code="key_file_open")
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES or len(set(secret)) < _LEAST_DIFFERENT:
        raise Forbidden(f"{path} holds no usable secret; delete it and start again", code="key_file_weak")
    return secret


def write_private(path: Path, content: bytes, *, keep_existing: bool = False) -> None:
    """Write a file of mode 0600 in one step; an existing one is replaced, or kept if asked."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path, keep_existing=keep_existing)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path, *, keep_existing: bool) -> None:
    if not keep_existing:
        draft.replace(path)
        return
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
