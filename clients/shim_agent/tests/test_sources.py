import json
from pathlib import Path

from shim_agent.transcripts.follow import newest_generation
from shim_agent.transcripts.sources import origin_of, source_of, sources_below
from shim_agent.transcripts.touched import below, touched_files

from .transcript import line, noise, session_id, tool_use

S = session_id()


def test_sessions_and_their_subagents_are_sources(tmp_path: Path) -> None:
    folder = tmp_path / "projects" / "-p"
    agent = folder / S / "subagents" / "agent-1.jsonl"
    agent.parent.mkdir(parents=True)
    for path in (folder / f"{S}.jsonl", agent, folder / "notes.jsonl", folder / S / "tool-results.txt"):
        path.touch()
    assert {(one.session, one.name) for one in sources_below(tmp_path)} == {
        (S, f"-p/{S}.jsonl"),
        (S, f"-p/{S}/subagents/agent-1.jsonl"),
    }
    assert source_of(tmp_path, folder / "notes.jsonl") is None
    assert source_of(tmp_path, tmp_path / f"{S}.jsonl") is None


def test_the_origin_is_the_first_record_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    mode = json.dumps({"type": "mode", "mode": "default", "sessionId": S}).encode() + b"\n"
    path.write_bytes(mode + b"{torn\n" + line(S, cwd="/home/ana/webshop") + line(S, cwd="/elsewhere"))
    origin = origin_of(path)
    assert origin is not None
    assert (origin.project, origin.client_version) == ("/home/ana/webshop", "2.1.329")
    assert origin.began_at is not None


def test_noise_shows_the_origin_too(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(noise(S) * 70)
    origin = origin_of(path)
    assert origin is not None
    assert origin.project == "/p"


def test_a_first_line_that_is_damaged_still_shows_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(line(S)[:30] + line(S))
    origin = origin_of(path)
    assert origin is not None
    assert origin.project == "/p"


def test_other_programs_files_have_no_origin(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for content in (b"", b'{"cwd": "/p", "type": "result"}\n', b"\xff\xfe\n" * 50, line(S, cwd="relative")):
        path.write_bytes(content)
        assert origin_of(path) is None


def test_a_rewritten_file_goes_on_under_its_newest_name() -> None:
    stored = {"a.jsonl": 900, "a.jsonl~1": 50, "a.jsonl~10": 7, "a.jsonlx": 1, "b/a.jsonl~11": 3}
    assert newest_generation("a.jsonl", stored) == (10, 7)
    assert newest_generation("c.jsonl", stored) == (0, 0)


def test_files_that_tools_write() -> None:
    bodies = [
        json.loads(tool_use(S, "Edit", {"file_path": "/p/a.py"})),
        json.loads(tool_use(S, "Read", {"file_path": "/p/b.py"})),
        json.loads(tool_use(S, "NotebookEdit", {"notebook_path": "/p/c.ipynb"})),
        json.loads(tool_use(S, "Write", {"file_path": 7})),
    ]
    assert [path for body in bodies for path in touched_files(body)] == ["/p/a.py", "/p/c.ipynb"]


def test_paths_below_a_project() -> None:
    assert below("/p", "/p/a/b") == "a/b"
    assert below("/p/", "/p/a") == "a"
    assert below("/p", "/px/a") is None
    assert below("/p", "/p/") is None
