import pytest

from shim_common.contracts.sessions import ProcessRef
from shim_common.processes import is_same_process


@pytest.mark.parametrize(
    ("pid", "created", "is_same"),
    [(7, 100.0, True), (7, 100.9, True), (7, 99.1, True), (7, 101.5, False), (7, 50.0, False), (8, 100.0, False)],
)
def test_a_pid_that_was_given_out_again_is_another_process(pid: int, created: float, is_same: bool) -> None:
    assert is_same_process(ProcessRef(pid=7, created=100.0), ProcessRef(pid=pid, created=created)) is is_same
