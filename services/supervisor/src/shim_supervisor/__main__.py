"""The process: `python -m shim_supervisor`."""

import uvloop

from shim_common.observability.logs import configure
from shim_common.web.serve import run
from shim_supervisor.app import create_app
from shim_supervisor.settings import Settings


def main() -> None:
    """Serve until told to stop."""
    configure("supervisor")
    settings = Settings()
    uvloop.run(run(create_app(settings), settings.supervisor_url))


if __name__ == "__main__":
    main()
