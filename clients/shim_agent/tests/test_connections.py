import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shim_agent.connections import (
    ConnectionsWatch,
    connect,
    connections_file,
    disconnect,
    read_connections,
)
from shim_common.kernel.errors import BadInput

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_nothing_is_connected_at_first(tmp_path: Path) -> None:
    assert read_connections(tmp_path) == []


def test_a_connection_is_kept_privately(tmp_path: Path) -> None:
    made = connect(tmp_path, "claude-code", Path("/h/.claude"), NOW)
    assert read_connections(tmp_path) == [made]
    assert connections_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_connecting_again_keeps_the_first_moment(tmp_path: Path) -> None:
    connect(tmp_path, "claude-code", Path("/h/.claude"), NOW)
    assert connect(tmp_path, "claude-code", Path("/h/.claude"), LATER).connected_at == NOW
    assert len(read_connections(tmp_path)) == 1


def test_one_folder_is_disconnected_and_the_other_stays(tmp_path: Path) -> None:
    connect(tmp_path, "claude-code", Path("/a"), NOW)
    connect(tmp_path, "claude-code", Path("/b"), NOW)
    assert disconnect(tmp_path, "claude-code", Path("/a"))
    assert not disconnect(tmp_path, "claude-code", Path("/a"))
    assert [one.config_dir for one in read_connections(tmp_path)] == [Path("/b")]


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=connect, args=(tmp_path, "claude-code", Path(f"/c{number}"), NOW))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.config_dir for one in read_connections(tmp_path)} == {Path(f"/c{number}") for number in range(12)}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"connections": [{"client": "x", "config_dir": "relative", "connected_at": "2026-01-01T00:00:00Z"}]}'],
)
def test_an_unreadable_file_is_named_and_kept(tmp_path: Path, text: str) -> None:
    connections_file(tmp_path).write_text(text)
    with pytest.raises(BadInput, match=r"connections\.json"):
        read_connections(tmp_path)
    with pytest.raises(BadInput):
        connect(tmp_path, "claude-code", Path("/a"), NOW)
    assert connections_file(tmp_path).read_text() == text


def test_a_change_is_told_once(tmp_path: Path) -> None:
    watch = ConnectionsWatch(tmp_path)
    assert watch.changed() == []
    assert watch.changed() is None
    made = connect(tmp_path, "claude-code", Path("/a"), NOW)
    assert watch.changed() == [made]
    assert watch.changed() is None
    disconnect(tmp_path, "claude-code", Path("/a"))
    assert watch.changed() == []
