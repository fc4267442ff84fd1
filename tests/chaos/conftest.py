"""How long the chaos lasts: one kill of each kind in the test command, hundreds with `make chaos`."""

import pytest

from .figures import Figures

_FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where this folder is named on the command line; the test command runs without."""
    group = parser.getgroup("chaos")
    group.addoption("--rounds", type=int, help="Kills, and everything else in full. Without: one kill of each kind.")
    group.addoption("--seed", type=int, default=1, help="Decides the order of the kills and their moments.")


@pytest.fixture(scope="session")
def rounds(pytestconfig: pytest.Config) -> int | None:
    """The kills asked for; None for one of each kind."""
    asked: int | None = pytestconfig.getoption("--rounds", None)
    return asked


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """The seed of everything random."""
    asked: int = pytestconfig.getoption("--seed", 1)
    return asked


@pytest.fixture(scope="session")
def long(rounds: int | None) -> None:
    """Only where time was given."""
    if rounds is None:
        pytest.skip("takes minutes: `make chaos`")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """What was measured, printed when all is over."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures."""
    figures = config.stash.get(_FIGURES, None)
    if figures is not None:
        terminalreporter.section("chaos")
        for line in figures.lines():
            terminalreporter.write_line(line)
