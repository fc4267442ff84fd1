from pathlib import Path

import pytest

from shim_transcripts import (
    find_session_file,
    project_folder,
    project_folder_name,
    session_files,
    session_id_of,
    subagent_files,
)

SESSION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize(
    ("cwd", "name"),
    [
        ("/tmp/w/short", "-tmp-w-short"),
        ("/tmp/w/\u00fc \u00e9_x.y\U0001f600z", "-tmp-w-----x-y--z"),
        ("/tmp/w/ne\u0301", "-tmp-w-ne-"),
        (
            "/tmp/w/" + "/".join(["abcdefghij_klm.nop"] * 14),
            "-tmp-w" + "-abcdefghij-klm-nop" * 10 + "-abc-w9vxg0",
        ),
        (
            "/tmp/w/" + "/".join(["ibcdefghij_klm.nop"] * 15),
            "-tmp-w" + "-ibcdefghij-klm-nop" * 10 + "-ibc-ukmzmy",
        ),
    ],
)
def test_folder_names_are_those_that_real_clients_made(cwd: str, name: str) -> None:
    assert project_folder_name(cwd) == name


def test_only_a_name_over_200_characters_is_cut() -> None:
    assert project_folder_name("/" + "a" * 199) == "-" + "a" * 199
    assert project_folder_name("/" + "a" * 200).startswith("-" + "a" * 199 + "-")


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_sessions_and_their_subagents_are_found(tmp_path: Path) -> None:
    folder = project_folder(tmp_path, "/w")
    session = make(folder / f"{SESSION}.jsonl")
    other = make(tmp_path / "projects" / "-z" / f"{OTHER}.jsonl")
    agent = make(folder / SESSION / "subagents" / "agent-a1.jsonl")
    make(folder / SESSION / "subagents" / "agent-a1.meta.json")
    make(folder / SESSION / "tool-results" / "b.txt")
    make(folder / "agent-old.jsonl")
    make(folder / "memory" / "notes.md")

    assert session_files(tmp_path) == [session, other]
    assert subagent_files(session) == [agent]
    assert subagent_files(other) == []
    assert find_session_file(tmp_path, OTHER) == other
    assert session_id_of(session) == session_id_of(agent) == SESSION


def test_a_missing_configuration_folder_has_no_sessions(tmp_path: Path) -> None:
    assert session_files(tmp_path / "none") == []
    assert find_session_file(tmp_path / "none", SESSION) is None


@pytest.mark.parametrize("session_id", ["../../secret", "*", "", SESSION + "/x", SESSION[:-1]])
def test_only_a_session_id_is_looked_for(tmp_path: Path, session_id: str) -> None:
    make(tmp_path / "projects" / "-w" / f"{SESSION}.jsonl")

    assert find_session_file(tmp_path, session_id) is None


@pytest.mark.parametrize("path", ["/p/notes.jsonl", f"/p/{SESSION}.txt", f"/p/{SESSION}/tool-results/agent-a.jsonl"])
def test_other_paths_belong_to_no_session(path: str) -> None:
    assert session_id_of(Path(path)) is None
