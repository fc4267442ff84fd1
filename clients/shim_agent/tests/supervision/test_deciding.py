from datetime import UTC, datetime
from pathlib import Path

import pytest

from shim_agent.supervision.deciding import Decider
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Tended
from shim_common.contracts.supervision import End, EndKind, Owner, Policy, PolicyList, Step
from shim_common.kernel.clock import ManualClock
from shim_supervision import RESTARTS_AT_ONCE

from .sample import BOOT, tended, watch

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def mine() -> Tended:
    return tended(watch(managed_by=Owner.RUN, started_under_shim=True))


def killed(kind: EndKind = EndKind.KILLED) -> End:
    return End(process=mine().process, observed_at=START, kind=kind, signal=9)


def decider(home: Path, clock: ManualClock, boot: str = BOOT) -> Decider:
    return Decider(Store(home), Policies(home), clock, boot, draw=lambda: 1.0)


def test_failures_are_counted_across_processes_and_told_to_a_person_once(tmp_path: Path) -> None:
    clock = ManualClock(START)
    steps = [decider(tmp_path, clock).decide(mine(), killed(), Owner.RUN, 0.1).step for _ in range(8)]
    assert steps == [Step.RESTART] * 5 + [Step.ESCALATE] + [Step.SUPPRESS] * 2


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    for _ in range(6):
        last = decider(tmp_path, clock).decide(mine(), killed(), Owner.RUN, 0.1)
    assert last.step is Step.ESCALATE
    clock.jump(10_000)
    assert decider(tmp_path, clock).decide(mine(), killed(), Owner.RUN, 0.1).step is Step.SUPPRESS


def test_a_person_cleans_the_slate(tmp_path: Path) -> None:
    one = decider(tmp_path, ManualClock(START))
    for _ in range(6):
        one.decide(mine(), killed(), Owner.RUN, 0.1)
    one.forgive(mine().session)
    assert one.decide(mine(), killed(), Owner.RUN, 0.1).wait_s == 0


def test_after_a_reboot_it_is_offered(tmp_path: Path) -> None:
    one = decider(tmp_path, ManualClock(START), boot="the next boot")
    assert one.decide(mine(), killed(), Owner.RUN, None).step is Step.OFFER


def test_only_the_owner_decides(tmp_path: Path) -> None:
    assert decider(tmp_path, ManualClock(START)).decide(mine(), killed(), Owner.AGENT, 1.0).step is Step.LEAVE


def test_the_policy_is_the_one_that_the_service_told_last(tmp_path: Path) -> None:
    Policies(tmp_path).keep(PolicyList(items=[Policy(name="default", intensity=1)]))
    one = decider(tmp_path, ManualClock(START))
    assert [one.decide(mine(), killed(), Owner.RUN, 0.1).step for _ in range(2)] == [Step.RESTART, Step.ESCALATE]


@pytest.mark.parametrize("content", [b"", b"{", b'{"items": [{"name": "default", "surprise": 1}]}'])
def test_policies_that_cannot_be_read_are_the_default_one(tmp_path: Path, content: bytes) -> None:
    policies = Policies(tmp_path)
    (tmp_path / "supervision").mkdir()
    (tmp_path / "supervision" / "policies.json").write_bytes(content)
    assert policies.of("default") == Policy()
    assert policies.of("gone") == Policy()
    assert policies.named("gone") is None
    assert policies.names() == ["default"]


def test_all_of_a_machine_share_the_tokens(tmp_path: Path) -> None:
    clock = ManualClock(START)
    granted = [decider(tmp_path, clock).take_token() == 0 for _ in range(RESTARTS_AT_ONCE + 1)]
    assert granted == [True] * RESTARTS_AT_ONCE + [False]
    clock.advance(decider(tmp_path, clock).take_token())
    assert decider(tmp_path, clock).take_token() == 0


def test_a_disk_that_fails_stops_neither_counting_nor_the_storm_guard(tmp_path: Path) -> None:
    (tmp_path / "supervision").write_text("a file where a folder should be")
    one = decider(tmp_path, ManualClock(START))
    assert [one.decide(mine(), killed(), Owner.RUN, 0.1).step for _ in range(6)][-1] is Step.ESCALATE
    assert [one.take_token() == 0 for _ in range(RESTARTS_AT_ONCE + 1)][-1] is False
