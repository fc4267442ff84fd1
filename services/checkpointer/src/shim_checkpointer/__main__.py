"""The process: `python -m shim_checkpointer`."""

import uvloop

from shim_checkpointer.app import create_app
from shim_checkpointer.settings import Settings
from shim_common.observability.logs import configure
from shim_common.web.serve import run


def main() -> None:
    """Serve until told to stop."""
    configure("checkpointer")
    settings = Settings()
    uvloop.run(run(create_app(settings), settings.checkpointer_url))


if __name__ == "__main__":
    main()
