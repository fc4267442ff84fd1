import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shim_cli.connect.json_text import NotPlainJson
from shim_cli.connect.settings_file import Addition, added, containers, holds_hooks, holds_key, removed
from shim_common.kernel.errors import Conflict

HTTP_HOOK = {"type": "http", "url": "http://127.0.0.1:7446/v1/hooks/claude-code/Stop", "timeout": 1}
COMMAND_HOOK = {"type": "command", "command": "python3 -I /data/bin/shim_hook.py 7446 SessionStart /k || true"}
SERVER = {"type": "stdio", "command": "/venv/bin/python", "args": ["-I", "-m", "shim_mcp"], "env": {}}

EVERYTHING = Addition(
    hooks={"SessionStart": COMMAND_HOOK, "Stop": HTTP_HOOK},
    env={"SHIM_INGEST_KEY": "shim_1"},
    server=SERVER,
)

KNOWN = ("hooks", "env", "mcpServers")

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)
hooks = st.fixed_dictionaries({"type": st.just("command"), "command": st.text()}, optional={"timeout": values})
groups = st.fixed_dictionaries({"hooks": st.lists(hooks, max_size=3)}, optional={"matcher": st.text()})
events = st.dictionaries(st.sampled_from(["Stop", "SessionStart", "PreToolUse"]), st.lists(groups, max_size=3))
user_settings = st.builds(
    lambda other, known: other | known,
    st.dictionaries(st.text().filter(lambda key: key not in KNOWN), values, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "hooks": events,
            "env": st.dictionaries(st.text(), st.text(), max_size=2),
            "mcpServers": st.dictionaries(st.sampled_from(["github", "files", "Shim"]), values, max_size=2),
        },
    ),
)
indents = st.sampled_from([None, 2, 4, "\t"])


@settings(max_examples=40)
@given(user_settings, indents)
def test_connect_then_disconnect_gives_the_same_settings_back(value: dict[str, Any], indent: Any) -> None:
    text = json.dumps(value, indent=indent)
    back = removed(added(text, EVERYTHING), keep=containers(text))
    assert json.loads(back) == json.loads(text)


@settings(max_examples=40)
@given(user_settings, indents)
def test_connecting_adds_and_changes_nothing_else(value: dict[str, Any], indent: Any) -> None:
    connected = json.loads(added(json.dumps(value, indent=indent), EVERYTHING))
    expected = json.loads(json.dumps(value))
    for event, hook in EVERYTHING.hooks.items():
        expected.setdefault("hooks", {}).setdefault(event, []).append({"hooks": [hook]})
    expected.setdefault("env", {})["SHIM_INGEST_KEY"] = "shim_1"
    expected.setdefault("mcpServers", {})["shim"] = SERVER
    assert connected == expected


@settings(max_examples=40)
@given(user_settings, indents)
def test_connecting_twice_is_connecting_once(value: dict[str, Any], indent: Any) -> None:
    text = json.dumps(value, indent=indent)
    once = added(text, EVERYTHING)
    assert json.loads(added(removed(once, keep=containers(text)), EVERYTHING)) == json.loads(once)


def test_the_users_order_and_layout_stay() -> None:
    text = '{\n    "z": [1,2],\n    "hooks": {\n        "Stop": [ {"hooks": []} ]\n    },\n    "a": 1e3\n}\n'
    connected = added(text, EVERYTHING)
    assert connected.startswith('{\n    "z": [1,2],\n    "hooks": {\n        "Stop": [ {"hooks": []}, {"hooks": [')
    assert '\n    "a": 1e3,\n    "env"' in connected
    assert removed(connected, keep=containers(text)) == text


def test_a_hook_of_ours_among_the_users_is_taken_out_alone() -> None:
    mine = {"type": "command", "command": "say done"}
    text = json.dumps({"hooks": {"Stop": [{"hooks": [mine, HTTP_HOOK]}, {"hooks": [HTTP_HOOK]}]}})
    assert json.loads(removed(text)) == {"hooks": {"Stop": [{"hooks": [mine]}]}}


def test_what_shim_made_goes_and_what_was_empty_before_stays() -> None:
    before = '{"hooks": {"Stop": []}, "mcpServers": {}}'
    connected = added(before, EVERYTHING)
    assert json.loads(removed(connected, keep=containers(before))) == {"hooks": {"Stop": []}, "mcpServers": {}}
    assert json.loads(removed(connected)) == {}


def test_a_server_of_a_project_stands_under_the_project() -> None:
    place = ("projects", "/home/ana/webshop", "mcpServers")
    text = '{"projects": {"/home/ana/webshop": {"allowedTools": []}}}'
    connected = added(text, Addition(server=SERVER, server_place=place))
    assert json.loads(connected)["projects"]["/home/ana/webshop"]["mcpServers"] == {"shim": SERVER}
    assert removed(connected, place, keep=containers(text, place)) == text
    assert removed(connected) == connected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"hooks": []}', "hooks is not an object"),
        ('{"hooks": null}', "hooks is not an object"),
        ('{"hooks": {"Stop": {}}}', "hooks.Stop is not a list"),
        ('{"env": "A=1"}', "env is not an object"),
        ('{"mcpServers": 1}', "mcpServers is not an object"),
        ('{"mcpServers": {"shim": {"command": "other"}}}', "already called 'shim'"),
    ],
)
def test_what_stands_in_the_way_is_named_and_kept(text: str, named: str) -> None:
    with pytest.raises(Conflict, match=named):
        added(text, EVERYTHING)


@pytest.mark.parametrize(
    ("args", "own"),
    [
        (["-I", "-m", "shim_mcp"], True),
        (["-I", "-S", "-E", "/data/bin/shim_mcp_bridge.py", "7446", "/data/keys/agent.key"], True),
        (["-m", "shim_mcp_of_another"], False),
        ([1, "window-shim"], False),
    ],
)
def test_the_server_is_known_by_what_it_runs(args: list[object], own: bool) -> None:
    text = json.dumps({"mcpServers": {"shim": {"command": "python", "args": args}}})
    assert (json.loads(removed(text)) == {}) is own


def test_comments_are_refused() -> None:
    with pytest.raises(NotPlainJson, match="line 1, column 2"):
        added("{// mine\n}", EVERYTHING)


def test_traces_are_recognised() -> None:
    connected = added("{}", EVERYTHING)
    assert holds_hooks(connected)
    assert holds_key(connected)
    assert not holds_hooks('{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}, 1]}}')
    assert not holds_key('{"env": {"OTHER": "1"}}')
