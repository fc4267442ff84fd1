"""Fetch a version of the real client from npm into a cache folder outside the project."""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "@anthropic-ai/claude-code"
NEWEST = "latest"
OLD = "2.1.197"
"""A client from before interrupted calls were kept on resume; people who pin a version still run it."""

PREFIX = "claude-code-"
LOOKUP_SECONDS = 20
INSTALL_SECONDS = 240
"""The client is one binary of 250 to 400 MB."""


class ClientUnavailable(Exception):
    """The client cannot be had here; the text says why."""


@dataclass(frozen=True)
class Installation:
    """A client that can be started."""

    version: str
    executable: Path


def cache_folder() -> Path:
    """Return where clients are kept: SHIM_TEST_CACHE, else the user's ~/.cache/shim-tests, else the temporary folder.

    The user's home is looked up by uid: HOME leads to the tests' private one, which does not outlive the run.
    """
    if chosen := os.environ.get("SHIM_TEST_CACHE"):
        return Path(chosen)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    if os.access(home, os.W_OK):
        return home / ".cache" / "shim-tests"
    return Path(tempfile.gettempdir()) / f"shim-tests-{os.getuid()}"


def install(wanted: str, cache: Path | None = None) -> Installation:
    """Return the `wanted` version ("latest" or a number), fetching it if the cache has none.

    Raises ClientUnavailable where npm or the network is missing, or no binary fits this machine.
    """
    cache = cache or cache_folder()
    version = newest(cache) if wanted == NEWEST else wanted
    folder = cache / f"{PREFIX}{version}"
    if not folder.exists():
        fetch(f"{PACKAGE}@{version}", folder)
    binaries = sorted(folder.glob(f"node_modules/{PACKAGE}-*/claude"))
    if not binaries:
        raise ClientUnavailable(f"{PACKAGE} {version} has no binary for this machine")
    return Installation(version, binaries[0])


def newest(cache: Path) -> str:
    """Return the number of the newest version: npm's word, else the newest of the cache.

    SHIM_TEST_CLAUDE_VERSION pins it. Raises ClientUnavailable if there is neither.
    """
    if pinned := os.environ.get("SHIM_TEST_CLAUDE_VERSION"):
        return pinned
    try:
        return str(json.loads(npm(["view", PACKAGE, "version", "--json"], LOOKUP_SECONDS)))
    except ClientUnavailable:
        known = [path.name.removeprefix(PREFIX) for path in cache.glob(f"{PREFIX}[0-9]*")]
        if not known:
            raise
        return max(known, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])


def fetch(package: str, folder: Path) -> None:
    """Install a package with its version into a folder, whole or not at all. Raises ClientUnavailable."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
        target = Path(scratch) / "client"
        target.mkdir()
        # Without --prefix npm walks up to the first folder with node_modules and changes that one.
        flags = ["--prefix", str(target), "--ignore-scripts", "--no-fund", "--no-audit"]
        npm(["install", *flags, package], INSTALL_SECONDS)
        try:
            target.rename(folder)
        except OSError:
            if not folder.exists():  # else another test run was faster
                raise


def npm(arguments: list[str], seconds: int) -> str:
    """Run npm and return what it prints. Raises ClientUnavailable."""
    program = shutil.which("npm")
    if program is None:
        raise ClientUnavailable("npm is not installed")
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=seconds, check=True)
    except subprocess.TimeoutExpired:
        raise ClientUnavailable(f"npm {arguments[0]} did not finish within {seconds} s") from None
    except subprocess.CalledProcessError as failed:
        raise ClientUnavailable(f"npm {arguments[0]} failed: {failed.stderr.strip()[-300:]}") from None
    return done.stdout
