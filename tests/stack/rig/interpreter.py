"""An interpreter that every user may run, with this one's packages: a virtual environment may lie in a closed home."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from shim_common.embedded.account import Account

LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "config-*", "*.a")


@dataclass(frozen=True)
class Interpreter:
    """A Python, and the environment that lets it find what this one finds."""

    path: Path
    environ: dict[str, str]


def interpreter_for(user: Account, folder: Path) -> Interpreter | None:
    """The interpreter of these tests, else a copy of it in `folder`; None where `user` cannot read the packages."""
    packages = [path for path in sys.path if "site-packages" in path or path.endswith("/src")]
    if not all(user.can_enter(Path(path)) for path in packages):
        return None
    told = {"PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    path = Path(sys.executable)
    if user.can_read(path):
        return Interpreter(path, told)
    copy = _copied(folder / "python")
    return Interpreter(copy, told | {"LD_LIBRARY_PATH": str(copy.parent.parent / "lib")})


def _copied(folder: Path) -> Path:
    """The interpreter and its library, as hard links where they can be made."""
    base = Path(sys.base_prefix)
    executable = Path(os.path.realpath(sys.executable))
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "bin").mkdir(parents=True)
    _link(str(executable), str(folder / "bin" / executable.name))
    shutil.copytree(base / library, folder / library, copy_function=_link, ignore=LEFT_OUT)
    for shared in (base / "lib").glob("libpython*.so*"):
        _link(str(shared.resolve()), str(folder / "lib" / shared.name))
    return folder / "bin" / executable.name


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
