"""Recorded sessions: the shipped one, and the real ones that lie beside the repository where they are there."""

import gzip
from importlib import resources
from pathlib import Path

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SHIPPED = Path(str(resources.files("shim_cli"))) / "recordings" / "webshop.jsonl"


def real_transcripts() -> list[Path]:
    """Every transcript of Claude Code in the shared data, the smallest first; none where the data is not there."""
    transcripts = SHARED / "transcripts"
    found = [
        *transcripts.glob("many/*.jsonl.gz"),
        *transcripts.glob("series-*/*.jsonl.gz"),
        *transcripts.glob("fixtures/*.jsonl"),
        *(SHARED / "claude-code-client").glob("session-*.jsonl"),
    ]
    return sorted(found, key=lambda path: (path.stat().st_size, path.name))


def content_of(path: Path) -> bytes:
    """The transcript in a file, unpacked."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data
