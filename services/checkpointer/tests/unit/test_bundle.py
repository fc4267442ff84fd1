from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain.bundle import ESSENTIALS, LIMIT, BundleFacts, Standing, render
from shim_checkpointer.domain.digest import Digest, fold
from shim_checkpointer.domain.log import LogEntry
from shim_common.contracts.sessions import PendingCall, ToolProcess

from ..building import CLIENT_SESSION, PROJECT, at, calls, entry, prompt, reply, result, says
from .strategies import logs

CHECKPOINT = f"ckp_{'0' * 32}"
SAID = {
    "finished": ("FINISHED",),
    "failed": ("ERROR",),
    "running": ("STILL RUNNING", "process 77"),
    "unknown": ("UNKNOWN",),
}


def facts(digest: Digest | None = None, **about: Any) -> BundleFacts:
    digest = digest or Digest()
    known: dict[str, Any] = {
        "session": CLIENT_SESSION,
        "project": PROJECT,
        "standing": Standing.INTERRUPTED,
        "at": at(),
        "position": 7,
        "checkpoint": CHECKPOINT,
        "digest": digest,
        "prompts": [(time, text) for time, text in digest.prompts],
        "constraints": digest.constraints,
        "reply": digest.last_reply,
        "pending": [],
    }
    return BundleFacts(**{**known, **about})


def pending(outcome: str = "unknown", call: str = "toolu_01A", **about: Any) -> PendingCall:
    process = ToolProcess(pid=77, created=1, command="make") if outcome == "running" else None
    known = {"name": "Bash", "summary": "make test", "started_at": at(), "process": process}
    return PendingCall(tool_use_id=call, outcome=outcome, **{**known, **about})  # type: ignore[arg-type]


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
long_words = st.builds(lambda word, times: (word + " ") * times, words, st.integers(1, 200))
prompts = st.lists(st.tuples(st.just(at().isoformat()), long_words), max_size=8)
sentences = st.lists(long_words, max_size=20)
pendings = st.lists(
    st.builds(
        pending,
        st.sampled_from(sorted(SAID)),
        st.text("abc_0123456789", min_size=1, max_size=200),
        name=words,
        summary=st.text(max_size=200),
        output=st.none() | long_words,
    ),
    max_size=8,
)
digests = st.builds(
    Digest,
    first_prompt=st.none() | long_words,
    decisions=sentences,
    todos=st.lists(st.fixed_dictionaries({"content": long_words, "status": words}), max_size=50),
    files=st.dictionaries(long_words, st.integers(1, 99), max_size=100),
    last_error=st.none() | st.lists(long_words, min_size=3, max_size=3),
    summary=st.none() | long_words,
    stated=st.fixed_dictionaries(
        {}, optional={"operation": long_words, "progress": st.floats(0, 1), "blockers": sentences}
    ),
)


@given(
    digests, prompts, sentences, st.none() | long_words, pendings, st.sampled_from([36, 200]), st.sampled_from(Standing)
)
def test_no_bundle_is_longer_than_the_client_takes(
    digest: Digest,
    asked: list[tuple[str, str]],
    constraints: list[str],
    words: str | None,
    calls_: list[PendingCall],
    id_chars: int,
    standing: Standing,
) -> None:
    bundle = render(
        facts(
            digest,
            session="s" * id_chars,
            prompts=asked,
            constraints=constraints,
            reply=words,
            pending=calls_,
            standing=standing,
        )
    )

    assert utf16(bundle) <= LIMIT
    essentials = bundle[:ESSENTIALS]
    assert f"shim://sessions/{'s' * id_chars}/transcript" in essentials
    assert CHECKPOINT in essentials
    if asked:
        assert f"Open task: {' '.join(asked[-1][1].split())[:40]}".rstrip() in essentials
    if constraints:
        assert "The user asked to keep to:" in essentials
        assert " ".join(constraints[-1].split())[:20].rstrip() in essentials
    if not calls_:
        assert "No tool call was in flight." in essentials
    for call in calls_[-4:]:
        assert all(word in essentials for word in SAID[call.outcome])


@given(logs)
def test_any_log_makes_a_bundle(log: list[LogEntry]) -> None:
    assert len(render(facts(fold(log)))) <= LIMIT


def test_emojis_count_twice() -> None:
    todos = [{"content": "🚀" * 200, "status": "pending"}] * 50
    digest = Digest(todos=todos, summary="🚀" * 4000, decisions=[f"{number}" + "🚀" * 230 for number in range(20)])

    bundle = render(facts(digest, prompts=[(at().isoformat(), "🚀" * 1500)] * 8, reply="🚀" * 1500))

    assert LIMIT - 2000 < utf16(bundle) <= LIMIT


def test_everything_that_counts_stands_first() -> None:
    digest = fold(
        [
            entry(prompt("Add a cart to the shop. Never touch the payments module. Keep the old API."), seconds=0),
            entry(
                reply(says("I'll use one table for carts."), calls("Edit", "1", file_path=f"{PROJECT}/shop/cart.py"))
            ),
            entry(result("ok", "1")),
            entry(reply(calls("Bash", "2", command="make test"))),
            entry(result("Exit code 2\nE  KeyError: 'cart'", "2", failed=True), seconds=9),
            entry(reply(calls("Bash", "toolu_01A", command="make test"))),
        ]
    )
    output = "3 passed in 0.31s"

    bundle = render(facts(digest, pending=[pending("finished", output=output)]))

    first, *lines = bundle[:ESSENTIALS].splitlines()
    assert first == f"SHIM kept this session ({CLIENT_SESSION}). It was interrupted at 2026-11-20 12:00:00 UTC."
    assert lines[:8] == [
        "Open task: Add a cart to the shop. Never touch the payments module. Keep the old API.",
        "Tool call in flight: Bash `make test` (toolu_01A): it FINISHED before the session stopped; its result:",
        "  3 passed in 0.31s",
        "The user asked to keep to:",
        "- Never touch the payments module.",
        "- Keep the old API.",
        "Decided:",
        "- I'll use one table for carts.",
    ]
    assert lines[8] == "Files edited: shop/cart.py"
    assert lines[9] == "Last error (2026-11-20T12:00:09Z, Bash: make test): Exit code 2 E KeyError: 'cart'"
    assert "tool shim_session_status or shim_check_recovery" in lines[10]
    assert f"all 7 entries: resource shim://sessions/{CLIENT_SESSION}/transcript. Checkpoint {CHECKPOINT}." in lines[10]


def test_facts_and_no_commands() -> None:
    bundle = render(facts(fold([entry(prompt("Add a cart"))])))

    assert not any(line.startswith(("You must", "Continue", "Please")) for line in bundle.splitlines())


@pytest.mark.parametrize("outcome", sorted(SAID))
def test_what_became_of_the_call_in_flight(outcome: str) -> None:
    bundle = render(facts(pending=[pending(outcome)]))

    assert "Bash `make test` (toolu_01A): " in bundle[:ESSENTIALS]
    assert all(word in bundle for word in SAID[outcome])
    if outcome == "running":
        assert "starting it again would make two of them" in bundle


def test_a_call_that_printed_nothing() -> None:
    assert "its result: (no output)" in render(facts(pending=[pending("finished", output="")]))


def test_a_long_output_follows_in_full() -> None:
    output = "\n".join(f"test_{number} passed" for number in range(70))

    bundle = render(facts(pending=[pending("finished", output=output)]))

    assert output.splitlines()[0] in bundle[:ESSENTIALS]
    assert output in bundle


def test_several_calls_each_with_its_outcome() -> None:
    all_of_them = [pending(outcome, f"toolu_{outcome}", output="x" * 300) for outcome in sorted(SAID)] * 2
    essentials = render(facts(pending=all_of_them, prompts=[(at().isoformat(), "Go " * 500)], constraints=["Never x"]))

    head = essentials[:ESSENTIALS]
    assert "and 4 earlier ones" in head
    assert "Never x" in head
    for outcome, said in SAID.items():
        line = next(line for line in head.splitlines() if f"(toolu_{outcome})" in line)
        assert said[0] in line


def test_no_constraint_is_lost_between_essentials_and_background() -> None:
    constraints = [f"Never do number {number} of these things, however tempting it may look" for number in range(20)]
    crowded = [pending("finished", f"toolu_{number}", output="x" * 1500) for number in range(6)]

    bundle = render(facts(constraints=constraints, pending=crowded, prompts=[(at().isoformat(), "Go " * 400)]))

    assert all(constraint in bundle for constraint in constraints)


def test_the_background() -> None:
    digest = Digest(
        first_prompt="Make a shop",
        todos=[
            {"content": "Write the cart", "status": "completed"},
            {"content": "Test it", "status": "in_progress"},
            {"content": "Document it", "status": "pending"},
        ],
        files={f"{PROJECT}/a.py": 3, "/elsewhere/b.py": 1},
        summary="Carts were discussed.",
        stated={"operation": "Add a cart", "progress": 0.5, "blockers": ["no key", "no time"]},
    )
    asked = [(at(60 * number).isoformat(), f"Request {number}") for number in range(3)]

    bundle = render(facts(digest, prompts=asked, reply="I have looked at it."))

    assert "Task list ([x] done, [~] in progress):\n- [x] Write the cart\n- [~] Test it\n- [ ] Document it" in bundle
    assert "Edited files, newest last:\n- a.py (3x)\n- /elsewhere/b.py (1x)" in bundle
    assert "Earlier requests of the user:\n- 2026-11-20T12:00Z Request 0\n- 2026-11-20T12:01Z Request 1" in bundle
    assert "First request: Make a shop" in bundle
    assert "Last words of the assistant: I have looked at it." in bundle
    assert "Summary of the last compaction: Carts were discussed." in bundle
    assert "operation: Add a cart; progress: 0.5; blockers: no key, no time" in bundle


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Standing.COMPACTED, "Its context was compacted at 2026-11-20 12:00:00 UTC."),
        (Standing.AT_REST, "It was last active at 2026-11-20 12:00:00 UTC."),
    ],
)
def test_how_the_session_stands(standing: Standing, said: str) -> None:
    assert said in render(facts(standing=standing)).splitlines()[0]


def test_a_session_of_which_nothing_is_known() -> None:
    bundle = render(facts(checkpoint=None))

    assert "Open task" not in bundle
    assert "Checkpoint" not in bundle
    assert "No tool call was in flight." in bundle
