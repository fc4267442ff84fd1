"""What a snapshot takes in, and what it leaves out with which reason. No I/O but to resolve paths."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pathspec import GitIgnoreSpec

from shim_common.kernel.errors import Unprocessable

SECRETS = (
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".pypirc",
    ".git-credentials",
)
"""Files that usually hold secrets: left out even where they are committed."""

MADE = (
    "node_modules/",
    "bower_components/",
    ".venv/",
    "venv/",
    "__pycache__/",
    "*.pyc",
    ".mypy_cache/",
    ".ruff_cache/",
    ".pytest_cache/",
    ".hypothesis/",
    ".tox/",
    ".nox/",
    ".cache/",
    ".parcel-cache/",
    ".turbo/",
    ".next/",
    ".nuxt/",
    ".gradle/",
    ".terraform/",
    "target/",
    "dist/",
    ".DS_Store",
)
"""What tools make anew: left out unless it is committed."""

SECRET_REASON = "may hold a secret"  # noqa: S105 - a reason, no password
MADE_REASON = "is made anew by tools"
MORE = "(more)"
"""Stands in a snapshot's reasons for those that were too many to keep."""

MAX_REASONS = 1000
"""Reasons that are kept for one snapshot; beyond, only their number is told."""

_SECRET_SPEC = GitIgnoreSpec.from_lines(SECRETS)
_MADE_SPEC = GitIgnoreSpec.from_lines(MADE)


class TreeRefused(Unprocessable):
    """The folder cannot be taken as a project, or is too large."""

    code = "tree_refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a tree and a file may be."""

    files: int = 20_000
    bytes: int = 512 * 1024 * 1024
    file_bytes: int = 10 * 1024 * 1024


@lru_cache(maxsize=32_768)
def left_out(path: str, *, committed: bool = False) -> str | None:
    """Return why a path is left out by default, None where it is not. Folders end in a slash."""
    if _SECRET_SPEC.match_file(path):
        return SECRET_REASON
    if not committed and _MADE_SPEC.match_file(path):
        return MADE_REASON
    return None


def project_root(project: Path, home: Path) -> Path:
    """Return the folder whose files are taken.

    Raises:
        TreeRefused: it is no folder, or so far up that it holds much more than a project.
    """
    try:
        root = project.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise TreeRefused(f"{project} cannot be opened, so no snapshot is taken: {type(error).__name__}") from error
    if not root.is_dir():
        raise TreeRefused(f"{project} is no folder, so no snapshot is taken")
    if root == Path(root.anchor) or home.resolve().is_relative_to(root):
        raise TreeRefused(
            f"{root} is the home folder or holds it; start the assistant in the project's own folder"
            " to have its files kept"
        )
    return root


def storable_path(path: str) -> str | None:
    """Return why a path cannot be stored, None where it can."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if "\\" in path:
        return "its name holds a backslash"
    return "its path is longer than 4,096 characters" if len(path) > 4096 else None


def unsafe_path(path: str) -> str | None:
    """Return why a stored path must not be written, None where it is safe below any folder."""
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        return "is not a plain path below the project"
    if any(part.casefold() == ".git" for part in parts):
        return "lies in a .git folder, which is never touched"
    return None


def bounded(reasons: dict[str, str]) -> dict[str, str]:
    """Keep the first reasons and tell how many more there were."""
    if len(reasons) <= MAX_REASONS:
        return reasons
    kept = dict(list(reasons.items())[:MAX_REASONS])
    return kept | {MORE: f"{len(reasons) - MAX_REASONS} further paths were left out"}


def parents(path: str) -> list[str]:
    """Return the folders that a path lies in, outermost first, without the root."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
