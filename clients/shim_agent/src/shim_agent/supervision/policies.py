"""The restart policies as the service last told them: `SHIM_HOME/supervision/policies.json`."""

from pathlib import Path

from pydantic import ValidationError

from shim_agent.supervision.store import supervision_folder
from shim_common.contracts.supervision import Policy, PolicyList
from shim_common.kernel.secrets import write_private

DEFAULT = Policy()


class Policies:
    """Reads and keeps them. Where none were ever told there is one: the default."""

    def __init__(self, home: Path) -> None:
        self._path = supervision_folder(home) / "policies.json"

    def keep(self, told: PolicyList) -> None:
        """Keep what the service says, if it is news."""
        content = told.model_dump_json(indent=1).encode() + b"\n"
        if not self._path.is_file() or self._path.read_bytes() != content:
            write_private(self._path, content)

    def named(self, name: str) -> Policy | None:
        """Return the policy with this name; None where this machine knows none."""
        return next((one for one in self._known() if one.name == name), DEFAULT if name == DEFAULT.name else None)

    def of(self, name: str) -> Policy:
        """Return the policy with this name, or the default one where it is gone."""
        return self.named(name) or self.named(DEFAULT.name) or DEFAULT

    def names(self) -> list[str]:
        """Return the names that are known."""
        return sorted({DEFAULT.name, *(one.name for one in self._known())})

    def _known(self) -> list[Policy]:
        try:
            return PolicyList.model_validate_json(self._path.read_bytes()).items
        except (OSError, ValidationError):
            return []
