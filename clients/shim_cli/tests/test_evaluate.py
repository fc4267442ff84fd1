from pathlib import Path

from .conftest import Person
from .sample import write

SHARED = Path(__file__).parents[4] / "shared" / "data" / "transcripts"


def test_sessions_without_a_compaction_cannot_be_judged(nobody: Person, tmp_path: Path) -> None:
    result = nobody.run("eval", "risk", write(tmp_path))
    assert result.exit_code == 1
    assert "there is nothing to predict" in result.stderr


def test_a_missing_file_is_wrong_usage(nobody: Person, tmp_path: Path) -> None:
    assert nobody.run("eval", "risk", tmp_path / "none.jsonl").exit_code == 2
