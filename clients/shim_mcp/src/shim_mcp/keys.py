"""The key of the stdio server: a file that only its owner can read."""

from dataclasses import dataclass
from pathlib import Path

from shim_common.kernel import secrets
from shim_common.kernel.errors import Forbidden
from shim_mcp.api import ApiError


@dataclass(frozen=True)
class KeyFile:
    """Reads the key anew for each call, so that a rotated key or a first start needs no restart here."""

    path: Path

    def __call__(self) -> str:
        """Return the key.

        Raises:
            ApiError: there is no such file, it cannot be read, others can read it, or it holds no key.
        """
        try:
            key = secrets.read(self.path).decode("ascii").strip()
        except FileNotFoundError as error:
            raise ApiError(
                f"There is no key at {self.path}; `shim up` makes it (SHIM_KEY_FILE names another file).",
                code="no_key",
            ) from error
        except Forbidden as error:
            raise ApiError(error.detail, code=error.problem_code) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ApiError(
                f"The key at {self.path} cannot be read ({type(error).__name__}); check the file.",
                code="key_unreadable",
            ) from error
        if not key.isprintable():
            raise ApiError(f"{self.path} holds no usable key; check the file.", code="key_unreadable")
        return key
