"""Which files are transcripts of which Codex thread, and under which name the server knows them."""

from pathlib import Path

from shim_agent.transcripts.sources import Origin, Source, lines_of
from shim_transcripts import rollout_files, rollout_origin, thread_id_of


def transcripts_folder(config_dir: Path) -> Path:
    """Return the folder below which Codex writes its rollouts."""
    return config_dir / "sessions"


def sources_below(config_dir: Path) -> list[Source]:
    """List the transcripts of every thread; a subagent's thread is one of its own."""
    return [source for path in rollout_files(config_dir) if (source := source_of(config_dir, path))]


def source_of(config_dir: Path, path: Path) -> Source | None:
    """Return what a path means, None where it is no transcript by its place."""
    thread, sessions = thread_id_of(path), transcripts_folder(config_dir)
    if thread is None or not path.is_relative_to(sessions):
        return None
    return Source(thread, path, path.relative_to(sessions).as_posix())


def origin_of(path: Path) -> Origin | None:
    """Read where a transcript comes from; None where no line says so yet, or it is another program's file."""
    found = rollout_origin(lines_of(path))
    return Origin(found.cwd, found.client_version, found.began_at) if found else None
