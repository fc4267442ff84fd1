"""The same transcripts through `ccusage`, the tool that most people count with: where the two agree and where not."""

import gzip
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from shim_cli.usage.reading import read
from shim_cli.usage.report import By, Period, report
from shim_cli.usage.sources import transcripts
from shim_prices import Catalogue

from .lines import reply, write

VERSION = "20.0.24"
SHARED = Path(__file__).parents[4].parent / "shared" / "data" / "transcripts"
RECORDED = [file for file in sorted(SHARED.rglob("*.jsonl.gz")) if "swe-agent" not in file.parts]
INSTALL_SECONDS = 90
RUN_SECONDS = 60
NOWHERE = "http://127.0.0.1:9"

Figures = dict[tuple[str, str], tuple[int, ...]]
Costs = dict[str, float]
Ccusage = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are not installed")
    cache = os.environ.get("SHIM_TEST_CACHE")
    folder = Path(cache) / f"ccusage-{VERSION}" if cache else tmp_path_factory.mktemp("ccusage")
    script = folder / "node_modules" / "ccusage" / "src" / "cli.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        flags = ["--prefix", str(folder), "--ignore-scripts", "--no-fund", "--no-audit"]
        try:
            subprocess.run([npm, "install", *flags, f"ccusage@{VERSION}"], check=True, timeout=INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"ccusage cannot be fetched: {error}")
    if not list((folder / "node_modules" / "@ccusage").glob("*/bin/*")):
        pytest.skip(f"ccusage {VERSION} has no binary for this machine")
    return script


@pytest.fixture
def ccusage(installed: Path, tmp_path: Path) -> Ccusage:
    """Run it with a home of its own, without prices from the network."""

    def run(config_dir: Path) -> dict[str, Any]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CLAUDE_CONFIG_DIR": str(config_dir),
            "TZ": "UTC",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
        }
        command = ["node", str(installed), "claude", "daily", "--json", "--offline"]
        done = subprocess.run(command, env=environ, check=True, capture_output=True, timeout=RUN_SECONDS)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def theirs(found: dict[str, Any]) -> tuple[Figures, Costs]:
    figures: Figures = {}
    costs: Costs = {}
    for day in found["daily"]:
        costs[day["date"]] = day["totalCost"]
        for model in day["modelBreakdowns"]:
            names = ("inputTokens", "outputTokens", "cacheCreationTokens", "cacheReadTokens")
            figures[day["date"], model["modelName"]] = tuple(model[name] for name in names)
    return figures, costs


def ours(config_dir: Path) -> tuple[Figures, Costs]:
    findings = read(transcripts([config_dir]))
    days = report(findings, By.DAY, Period(), Catalogue.shipped()).rows
    costs = {row.key: row.usage.cost or 0.0 for row in days}
    figures: Figures = {}
    for call in findings.ledger.calls():
        usage, key = call.usage, (Period().day(call.at).isoformat(), call.model)
        counts = (usage.input, usage.output, usage.cache_write_5m + usage.cache_write_1h, usage.cache_read)
        figures[key] = tuple(old + new for old, new in zip(figures.get(key, (0, 0, 0, 0)), counts, strict=True))
    return figures, costs


def as_written(line: bytes) -> bytes:
    """Return a line as the client writes it; some recordings were stored with spaces, which ccusage does not read."""
    try:
        return orjson.dumps(orjson.loads(line)) + b"\n"
    except orjson.JSONDecodeError:
        return line


@pytest.mark.skipif(not RECORDED, reason=f"no recorded sessions in {SHARED}")
def test_recorded_sessions_have_the_same_tokens_and_cost(ccusage: Ccusage, tmp_path: Path) -> None:
    for number, file in enumerate(RECORDED):
        target = tmp_path / "projects" / f"p{number}" / file.stem
        target.parent.mkdir(parents=True)
        with gzip.open(file) as packed, target.open("wb") as plain:
            plain.writelines(as_written(line) for line in packed)
    their_figures, their_costs = theirs(ccusage(tmp_path))
    our_figures, our_costs = ours(tmp_path)
    assert len(our_figures) > 20
    assert our_figures == their_figures
    assert our_costs == pytest.approx(their_costs, abs=1e-5)


def test_subagents_copies_and_streamed_lines_are_counted_alike(ccusage: Ccusage, tmp_path: Path) -> None:
    sonnet = {"model": "claude-sonnet-4-5-20250929"}
    write(tmp_path, *(reply(1, output=output, **sonnet) for output in (1, 90, 1)), reply(2, **sonnet))
    agent = {"isSidechain": True, "agentId": "a1", **sonnet}
    replay, own = reply(1, requestId="other", output=90, **agent), reply(3, **agent)
    write(tmp_path, replay, own, name="agent-a1", folder="p/0/subagents")
    write(tmp_path, reply(2, sessionId="fork", **sonnet), name="fork")
    (our_figures, our_costs), (their_figures, their_costs) = ours(tmp_path), theirs(ccusage(tmp_path))
    assert our_figures == their_figures
    assert our_costs == pytest.approx(their_costs)


def test_lines_with_spaces_are_seen_here_alone(ccusage: Ccusage, tmp_path: Path) -> None:
    file = write(tmp_path, reply(1))
    file.write_text(json.dumps(json.loads(file.read_text())) + "\n")
    assert theirs(ccusage(tmp_path)) == ({}, {})
    assert len(ours(tmp_path)[0]) == 1


@pytest.mark.parametrize(
    ("why", "line", "here", "there"),
    [
        ("new models", reply(1, output=0), 0.04, 0.0),
        ("a tier of a new model", reply(1, model="claude-haiku-5-5", output=0), 0.0075, 0.0),
        (
            "a tier: the whole request, or what lies above it",
            reply(1, model="claude-sonnet-4-5", output=0, usage={"cache_read_input_tokens": 300_000}),
            0.006 + 0.024 + 0.18,
            0.003 + 0.012 + 0.06 + 0.06,
        ),
    ],
)
def test_prices_differ(
    ccusage: Ccusage, tmp_path: Path, why: str, line: dict[str, Any], here: float, there: float
) -> None:
    write(tmp_path, line)
    our_figures, our_costs = ours(tmp_path)
    their_figures, their_costs = theirs(ccusage(tmp_path))
    assert our_figures == their_figures
    assert (sum(our_costs.values()), sum(their_costs.values())) == pytest.approx((here, there)), why


def test_an_unknown_price_is_named_here_and_nothing_there(ccusage: Ccusage, tmp_path: Path) -> None:
    write(tmp_path, reply(1, model="else-1"))
    made = report(read(transcripts([tmp_path])), By.DAY, Period(), Catalogue.shipped())
    assert (made.total.usage.cost, made.unpriced) == (None, {"else-1": 1})
    assert theirs(ccusage(tmp_path))[1] == {"2026-11-01": 0.0}
