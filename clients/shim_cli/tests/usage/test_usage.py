import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import Person
from .lines import CWD, OPUS, OTHER, SESSION, reply, shown, write

PRICE = 0.0402
"""Of `reply(output=10)`: 1,000 x $4 + 10 x $20 + 2,000 x $8 + 100,000 x $0.20 a million."""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    zone(monkeypatch, "UTC")
    yield
    monkeypatch.undo()
    time.tzset()


def zone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    time.tzset()


@pytest.fixture
def config(nobody: Person) -> Path:
    """The configuration folder of a client that was never connected."""
    return nobody.home / ".claude"


def test_usage_by_day(nobody: Person, config: Path) -> None:
    write(config, reply(2), reply(1), shown(reply(3), "a1"), reply(4, model="else-1"))
    made = nobody.reads("usage")
    assert [(row["key"], row["usage"]["cost"]) for row in made["rows"]] == [
        ("2026-11-01", PRICE),
        ("2026-11-02", PRICE),
        ("2026-11-03", PRICE),
        ("2026-11-04", None),
    ]
    assert made["total"]["usage"] == {
        "requests": 4,
        "input": 4000,
        "output": 40,
        "cache_write_5m": 0,
        "cache_write_1h": 8000,
        "cache_read": 400_000,
        "cost": pytest.approx(3 * PRICE),
        "unpriced": 1,
    }
    assert made["total"]["subagents"]["cost"] == PRICE
    assert made["unpriced"] == {"else-1": 1}


@pytest.mark.parametrize(
    ("by", "keys"), [("project", ["/b", CWD]), ("session", [OTHER, SESSION]), ("model", [OPUS, "claude-haiku-4-5"])]
)
def test_other_rows_stand_from_the_dearest_down(nobody: Person, config: Path, by: str, keys: list[str]) -> None:
    write(config, reply(1, model="claude-haiku-4-5"))
    write(config, reply(2, sessionId=OTHER, cwd="/b"), reply(3, sessionId=OTHER, cwd="/b"), name=OTHER)
    assert [row["key"] for row in nobody.reads("usage", "--by", by)["rows"]] == keys


def test_a_period_holds_both_its_days(nobody: Person, config: Path) -> None:
    write(config, *(reply(number) for number in range(1, 6)))
    made = nobody.reads("usage", "--since", "2026-11-02", "--until", "2026-11-04")
    assert [row["key"] for row in made["rows"]] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert made["since"] == "2026-11-02"


def test_days_are_the_persons(nobody: Person, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(config, reply(1, timestamp="2026-11-01T23:30:00.000Z"))
    zone(monkeypatch, "Europe/Vienna")
    assert [row["key"] for row in nobody.reads("usage")["rows"]] == ["2026-11-02"]


def test_a_period_that_ends_before_it_begins_is_refused(nobody: Person) -> None:
    assert nobody.run("usage", "--since", "2026-11-02", "--until", "2026-11-01").exit_code == 2


def test_the_folders_of_connected_clients_are_read(nobody: Person, tmp_path: Path) -> None:
    connected = tmp_path / "elsewhere"
    connected.mkdir()
    nobody.does("connect", "claude-code", "--config-dir", connected, "--client-version", "2.1.329")
    write(connected, reply(1))
    assert nobody.reads("usage")["total"]["usage"]["requests"] == 1


def test_given_paths_are_read_instead(nobody: Person, config: Path, tmp_path: Path) -> None:
    write(config, reply(1), reply(2))
    other = write(tmp_path / "other", reply(3))
    assert nobody.reads("usage", other)["total"]["usage"]["requests"] == 1
    assert nobody.run("usage", tmp_path / "none").exit_code == 2


def test_a_person_reads_a_table_with_bars(nobody: Person, config: Path) -> None:
    write(config, reply(1), reply(2), reply(2, requestId="b"), reply(3, model="else-1"))
    out = nobody.does("usage")
    first, second, third, total = out.splitlines()[1:5]
    assert "$0.04" in first
    assert "$0.08" in second
    assert second.count("█") == 2 * first.count("█") > 0
    assert "unknown" in third
    assert "≥ $0.12" in total
    assert "Not in the cost, for want of a price: 1 x else-1." in out


def test_escape_sequences_do_not_reach_the_terminal(nobody: Person, config: Path) -> None:
    write(config, reply(1, model="evil\x1b[2J"))
    assert "\x1b" not in nobody.does("usage", "--by", "model")


def test_nothing_is_said_plainly(nobody: Person) -> None:
    assert nobody.does("usage") == "No requests to a model were found.\n"


def test_damage_is_told(nobody: Person, config: Path) -> None:
    file = write(config, reply(1))
    file.write_text(file.read_text() + '{"torn')
    assert "only what is whole is counted: 1." in nobody.does("usage")
    assert nobody.reads("usage")["source"]["damaged"] == 1


def test_reading_changes_nothing(nobody: Person, config: Path) -> None:
    write(config, reply(1))
    before = sorted(nobody.home.rglob("*"))
    nobody.does("usage")
    assert sorted(nobody.home.rglob("*")) == before


@pytest.mark.parametrize(("name", "magic"), [("u.png", b"\x89PNG"), ("u.SVG", b"<?xml")])
def test_a_plot(nobody: Person, config: Path, tmp_path: Path, name: str, magic: bytes) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    write(config, reply(1), reply(2), shown(reply(2, requestId="b"), "a1"))
    nobody.does("usage", "--plot", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_a_plot_of_names_that_no_font_has(nobody: Person, config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    write(config, reply(1, cwd="/srv/$未来$/x_{y"), folder="p")
    nobody.does("usage", "--by", "project", "--plot", tmp_path / "u.svg")


def test_without_matplotlib_a_plot_says_what_to_install(
    nobody: Person, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, reply(1))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # what an absent package looks like to an import
    result = nobody.run("usage", "--plot", tmp_path / "u.png")
    assert result.exit_code == 1
    assert "plots need matplotlib" in result.stderr


def test_a_plot_of_nothing_did_not_work(nobody: Person, tmp_path: Path) -> None:
    assert nobody.run("usage", "--plot", tmp_path / "u.png").exit_code == 1


def test_a_plot_that_cannot_be_written_is_told(nobody: Person, config: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    write(config, reply(1))
    result = nobody.run("usage", "--plot", tmp_path / "none" / "u.png")
    assert "cannot be written: No such file or directory" in result.stderr


def test_a_plot_must_be_png_or_svg(nobody: Person, tmp_path: Path) -> None:
    assert nobody.run("usage", "--plot", tmp_path / "u.gif").exit_code == 2
