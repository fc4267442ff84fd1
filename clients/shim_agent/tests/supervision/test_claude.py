import pytest

from shim_agent.supervision import claude

S = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("--model opus --verbose", "--model opus --verbose"),
        ("--model=opus -d hooks", "--model=opus -d hooks"),
        ("--continue --model opus", "--model opus"),
        ("-c", ""),
        ("--resume other --fork-session", ""),
        ("-r", ""),
        ("--session-id other --add-dir /a /b --verbose", "--add-dir /a /b --verbose"),
        ("-w feature --tmux", ""),
        ("fix-the-tests", ""),
        ("--model opus fix-the-tests", "--model opus"),
        ("--dangerously-skip-permissions fix-the-tests", "--dangerously-skip-permissions"),
        ("--allowedTools Bash Edit -- fix-the-tests", "--allowedTools Bash Edit"),
        ("--an-option-of-tomorrow", "--an-option-of-tomorrow"),
        ("--an-option-of-tomorrow fix-the-tests", ""),
        ("--an-option-of-tomorrow=1", "--an-option-of-tomorrow=1"),
    ],
)
def test_a_session_goes_on_with_its_options_and_without_its_prompt(given: str, kept: str) -> None:
    command = ["/opt/claude", *given.split()]
    assert claude.resume(command, S) == ["/opt/claude", *kept.split(), "--resume", S]
    assert claude.begin_again(command, S) == ["/opt/claude", *kept.split(), "--session-id", S]


def test_what_was_resumed_is_resumed_the_same_way_again() -> None:
    once = claude.resume(["claude", "--model", "opus", "do it"], S)
    assert claude.resume(once, S) == once


def test_only_a_run_without_a_person_is_given_its_prompt_again() -> None:
    assert claude.resume(["claude", "-p", "--model", "opus", "do it"], S) == [
        *("claude", "-p", "--model", "opus", "--resume", S, "--", "do it"),
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("claude", True),
        ("/opt/bin/claude --model opus please", True),
        ("claude -p please", True),
        ("claude mcp list", False),
        ("claude --verbose update", False),
        ("claude --version", False),
        ("claude --bg please", False),
        ("claude --no-session-persistence -p please", False),
        ("python claude", False),
        ("", False),
    ],
)
def test_a_session_in_this_terminal_is_told_from_everything_else(command: str, expected: bool) -> None:
    assert claude.is_client(command.split()) is expected


def test_prints_are_told_from_conversations() -> None:
    assert claude.is_print(["claude", "--model", "opus", "-p", "hello"])
    assert not claude.is_print(["claude", "--append-system-prompt", "-p"])


@pytest.mark.parametrize("text", ["--dangerously-skip-permissions", "../../etc", "", "x", f"{S}\n", f" {S}"])
def test_nothing_but_an_id_is_taken_for_one(text: str) -> None:
    assert claude.is_session_id(S)
    assert not claude.is_session_id(text)
