"""The projects whose snapshots are taken, each with what is known of its files."""

from collections.abc import Collection, Sequence
from pathlib import Path

from shim_agent.gateway import Gateway
from shim_agent.snapshots.rules import Limits, project_root
from shim_agent.snapshots.scan import Scanner
from shim_agent.snapshots.upload import Uploader
from shim_common.contracts.sessions import Snapshot
from shim_common.kernel.clock import Clock

MAX_PROJECTS = 8
"""Projects whose files' stamps are remembered; the files of others are all read again."""


class Projects:
    """Takes snapshots of projects, and remembers of the latest few what need not be read and sent again."""

    def __init__(self, gateway: Gateway, clock: Clock, limits: Limits) -> None:
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._uploaders: dict[Path, Uploader] = {}

    async def take(
        self,
        project: Path,
        session: str,
        touched: Sequence[str],
        without: Collection[Path],
        *,
        even_unchanged: bool = False,
    ) -> Snapshot:
        """Take a snapshot of a project for a session (see `Uploader.take`).

        `without` are folders below it that do not belong to it.

        Raises:
            TreeRefused: the folder cannot be taken, or is too large.
            ShimError: SHIM is away, or refuses.
        """
        root = project_root(project, Path.home())
        uploader = self._uploaders.pop(root, None)
        if uploader is None:
            uploader = Uploader(self._gateway, Scanner(root, self._limits, without), self._clock)
        self._uploaders[root] = uploader
        while len(self._uploaders) > MAX_PROJECTS:
            del self._uploaders[next(iter(self._uploaders))]
        return await uploader.take(session, touched, even_unchanged=even_unchanged)
