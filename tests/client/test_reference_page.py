"""The page about the client's behaviour and the tests it cites stay together."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/reference/claude-code-behaviour.md"


def test_every_test_with_the_client_is_cited() -> None:
    sources = [(HERE / name).read_text() for name in ("test_session.py", "test_facts.py")]
    shown = {name for source in sources for name in re.findall(r"^async def test_(\w+)", source, re.MULTILINE)}
    cited = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    assert shown
    assert shown <= cited


def test_every_test_cited_exists() -> None:
    sources = "".join((HERE / name).read_text() for name in ("test_session.py", "test_facts.py"))
    last_column = re.findall(r"\b[SF] (`\w+`(?:, `\w+`)*)", PAGE.read_text())
    cited = [name for names in last_column for name in re.findall(r"`(\w+)`", names)]
    assert cited
    assert [name for name in cited if f"def test_{name}(" not in sources] == []
