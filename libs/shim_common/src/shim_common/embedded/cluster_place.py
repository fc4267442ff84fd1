"""Where a Postgres cluster lies: in the data folder, or beside it where Postgres may not run as the user."""

import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shim_common.embedded.account import Account
from shim_common.embedded.errors import FolderError
from shim_common.embedded.home import home_tag

SYSTEM_ROOT = Path("/var/lib/shim")


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """The folder of a cluster, and a warning where data there is less safe than it should be."""

    data: Path
    warning: str | None = None

    @property
    def exists(self) -> bool:
        """Whether a whole cluster is there; it appears by a rename."""
        return (self.data / "PG_VERSION").is_file()


def locate_cluster(home: Path, account: Account, system_root: Path = SYSTEM_ROOT) -> ClusterPlace:
    """The place of this data folder's cluster.

    Where one exists it stays. A new one goes to `SHIM_HOME/postgres` if `account` can reach it, else below
    `system_root`, else below the temporary directory (with a warning). Raises FolderError where none is
    usable, or where a cluster exists that `account` cannot reach.
    """
    inside = ClusterPlace(home / "postgres")
    outside = _places_outside(home, system_root)
    for place in (inside, *outside):
        if place.exists:
            _require_owner(place.data, account)
            return place
    if account.is_current or account.can_enter(home):
        return inside
    for place in outside:
        if _prepare_parent(place.data.parent, account):
            return place
    message = (
        f"No folder for the database that the user {account.name} can reach; tried "
        f"{', '.join(str(place.data) for place in outside)}. "
        f"Set DATABASE_URL, or SHIM_HOME to an open folder."
    )
    raise FolderError(message)


def _places_outside(home: Path, system_root: Path) -> tuple[ClusterPlace, ClusterPlace]:
    temporary = Path(tempfile.gettempdir()) / f"shim-data-{home_tag(home)}" / "postgres"
    warning = f"The database lies in {temporary}: a temporary directory may be emptied by the system."
    return ClusterPlace(system_root / home_tag(home) / "postgres"), ClusterPlace(temporary, warning)


def _require_owner(data: Path, account: Account) -> None:
    if data.stat().st_uid != account.uid or not account.can_enter(data):
        message = (
            f"The database in {data} does not belong to the user {account.name}, or a folder above it is "
            f"closed. Start SHIM as the user that made it, or set SHIM_HOME to another folder."
        )
        raise FolderError(message)


def _prepare_parent(parent: Path, account: Account) -> bool:
    """Make `parent`, and the folder of ours above it, so that `account` gets in; False where that fails."""
    try:
        for folder in (parent.parent, parent):
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(0o711)
        status = parent.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and account.can_enter(parent)
    except OSError:
        return False
