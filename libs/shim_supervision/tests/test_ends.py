"""What exit codes and signals prove, and what they do not."""

from signal import SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_common.contracts.supervision import EndKind
from shim_supervision import classify


@pytest.mark.parametrize(
    ("exit_code", "signal", "kind"),
    [
        (0, None, EndKind.CLOSED),  # also Ctrl-C, which the newest client answers with 0
        (130, None, EndKind.CLOSED),
        (None, SIGINT, EndKind.CLOSED),
        (1, None, EndKind.FAILED),
        (2, None, EndKind.FAILED),
        (128, None, EndKind.FAILED),
        (255, None, EndKind.FAILED),
        (137, None, EndKind.KILLED),
        (143, None, EndKind.KILLED),
        (129, None, EndKind.KILLED),
        (None, SIGKILL, EndKind.KILLED),
        (None, SIGTERM, EndKind.KILLED),
        (None, SIGHUP, EndKind.KILLED),
        (None, SIGSEGV, EndKind.KILLED),
        (None, None, EndKind.LOST),
    ],
)
def test_codes_and_signals(exit_code: int | None, signal: int | None, kind: EndKind) -> None:
    assert classify(exit_code, signal) is kind


@pytest.mark.parametrize(("exit_code", "signal"), [(1, None), (143, None), (None, 9), (None, None), (0, None)])
def test_what_was_closed_on_purpose_is_closed_however_it_went(exit_code: int | None, signal: int | None) -> None:
    assert classify(exit_code, signal, on_purpose=True, usage_limit=True, record_left=True) is EndKind.CLOSED


@pytest.mark.parametrize(
    ("exit_code", "signal", "kind"),
    [
        (1, None, EndKind.USAGE_LIMIT),
        (None, 9, EndKind.USAGE_LIMIT),
        (None, None, EndKind.USAGE_LIMIT),
        (0, None, EndKind.CLOSED),  # the person read of the limit and left
    ],
)
def test_a_usage_limit(exit_code: int | None, signal: int | None, kind: EndKind) -> None:
    assert classify(exit_code, signal, usage_limit=True) is kind


@pytest.mark.parametrize(
    ("record_left", "turn_open", "kind"),
    [
        (True, None, EndKind.KILLED),
        (True, False, EndKind.KILLED),
        (False, None, EndKind.CLOSED),
        (False, False, EndKind.CLOSED),
        (False, True, EndKind.LOST),  # a closed terminal takes the record away as well
        (None, True, EndKind.LOST),
        (None, False, EndKind.CLOSED),
        (None, None, EndKind.LOST),
    ],
)
def test_nobodys_child(record_left: bool | None, turn_open: bool | None, kind: EndKind) -> None:
    assert classify(None, None, record_left=record_left, turn_open=turn_open) is kind


@given(
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 128),
    on_purpose=st.booleans(),
    usage_limit=st.booleans(),
    record_left=st.none() | st.booleans(),
    turn_open=st.none() | st.booleans(),
)
def test_a_known_status_outweighs_every_guess(
    exit_code: int | None,
    signal: int | None,
    on_purpose: bool,
    usage_limit: bool,
    record_left: bool | None,
    turn_open: bool | None,
) -> None:
    told = {"on_purpose": on_purpose, "usage_limit": usage_limit}
    kind = classify(exit_code, signal, **told, record_left=record_left, turn_open=turn_open)

    if exit_code is not None or signal is not None:
        assert kind is classify(exit_code, signal, **told)
        assert kind is not EndKind.LOST
    if on_purpose:
        assert kind is EndKind.CLOSED
