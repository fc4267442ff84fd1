"""The demonstrations that other packages bring, found by their entry points."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from shim_stack.up import prove

MODULE = """
from shim_common.kernel.errors import Unavailable
def works(out): out.print("recovered"); return 0
def fails(out): return 1
def raises(out): raise Unavailable("nothing answers")
"""


@pytest.mark.parametrize(
    ("demo", "well", "shown"),
    [("works", True, "recovered"), ("fails", False, ""), ("raises", False, "nothing answers")],
)
def test_up_runs_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: str, well: bool, shown: str
) -> None:
    (tmp_path / "demo_of_test.py").write_text(MODULE)
    about = tmp_path / "demo_of_test-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-of-test\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[shim.demo.test]\ndemo = demo_of_test:{demo}\n")
    monkeypatch.syspath_prepend(tmp_path)
    out = Console(file=StringIO())
    assert prove(out, group="shim.demo.test") is well
    assert isinstance(out.file, StringIO)
    assert shown in out.file.getvalue()
