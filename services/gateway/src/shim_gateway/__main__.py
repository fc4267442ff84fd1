"""The process: `python -m shim_gateway`."""

import sys

import uvloop

from shim_common.kernel.errors import ShimError
from shim_common.observability.logs import configure
from shim_common.web.serve import Tls, run
from shim_gateway.app import create_app
from shim_gateway.settings import Settings


def main() -> None:
    """Serve until told to stop."""
    configure("gateway")
    settings = Settings()
    try:
        app = create_app(settings)
    except ShimError as error:
        sys.exit(error.detail)
    tls = Tls(settings.tls_certificate, settings.tls_key) if settings.tls_certificate and settings.tls_key else None
    uvloop.run(run(app, f"http://{settings.bind}", tls))


if __name__ == "__main__":
    main()
