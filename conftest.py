"""Every test runs in a private home, with real stores at hand."""

from shim_common.testing.private_home import enter_private_home

PRIVATE_HOME = enter_private_home()  # before any test module is imported

pytest_plugins = ["shim_common.testing.plugin"]


def pytest_unconfigure() -> None:
    """Remove the private home."""
    PRIVATE_HOME.cleanup()
