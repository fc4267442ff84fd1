import sqlite3
from pathlib import Path

import pytest

from shim_agent.supervision.store import MAX_REPORTS, Store
from shim_agent.supervision.tended import Report
from shim_common.kernel.errors import Unavailable
from shim_supervision import History

from .sample import S, tended, watch


def test_what_is_kept_outlives_the_process_and_is_seen_by_others(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    one.tend(tended())
    one.keep("history:x", History(streak=3))
    assert other.tended() == [tended()]
    assert other.tended_session(S) == tended()
    assert other.kept("history:x", History) == History(streak=3)
    other.let_go(S)
    assert one.tended() == []


def test_reports_leave_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    for number in range(6):
        (one, other)[number % 2].spool(Report(watch=watch(pid=number + 1)))
    seen = []
    while found := one.next_report():
        number, report = found
        assert report is not None
        seen.append(report.watch.process.pid)
        one.drop_report(number)
    assert seen == [1, 2, 3, 4, 5, 6]
    other.spool(Report(watch=watch(pid=7)))
    found = one.next_report()
    assert found is not None
    assert found[0] > number


def test_a_spool_that_nobody_empties_has_an_end(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.spool(Report(watch=watch(pid=1)))
    db = sqlite3.connect(tmp_path / "supervision" / "state.db")
    db.execute("UPDATE report SET number = 1")
    db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'report'", (MAX_REPORTS,))
    db.commit()
    db.close()
    store.spool(Report(watch=watch(pid=2)))
    found = store.next_report()
    assert found is not None
    assert found[1] == Report(watch=watch(pid=2))


def test_somebody_asks_once(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    assert not other.take_asked(S)
    one.ask_for(S)
    assert other.take_asked(S)
    assert not one.take_asked(S)


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "supervision"
    folder.mkdir()
    (folder / "state.db").write_bytes(b"this is no database " * 100)
    store = Store(tmp_path)
    with pytest.raises(Unavailable):
        store.tended()
    assert store.tended() == []
    assert (folder / "state.db.damaged").is_file()


def test_what_cannot_be_understood_counts_for_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.tend(tended())
    db = sqlite3.connect(tmp_path / "supervision" / "state.db")
    db.execute("UPDATE tended SET body = '{}'")
    db.execute("INSERT INTO report (body) VALUES ('{}')")
    db.commit()
    db.close()
    assert store.tended() == []
    assert store.next_report() == (1, None)


def test_a_disk_that_fails_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "supervision").write_text("a file where a folder should be")
    with pytest.raises(Unavailable):
        Store(tmp_path).tend(tended())


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    with one.alone():
        one.keep("bucket", History(streak=1))
        assert other.kept("bucket", History) is None
    assert other.kept("bucket", History) == History(streak=1)
