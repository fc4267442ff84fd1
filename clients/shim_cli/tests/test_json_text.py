import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shim_cli.connect.json_text import NotPlainJson, drop, parse, put

HAND_MADE = """{
    "model": "opus",
    "permissions": {"allow": ["Bash(ls)",  "Read"], "deny": []},
    "limits": [1.50, 1e3,
       2],
    "hooks": {
        "Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]
    }
}
"""

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
objects = st.dictionaries(st.text(), values, max_size=4)
layouts = st.sampled_from(
    [
        {"indent": 2},
        {"indent": 4, "ensure_ascii": False},
        {"indent": "\t"},
        {"separators": (",", ":")},
        {},
    ]
)


def test_a_new_member_leaves_every_other_byte_alone() -> None:
    changed = put(HAND_MADE, ("env", "KEY"), "1")
    assert changed == HAND_MADE.replace("    }\n}\n", '    },\n    "env": {\n        "KEY": "1"\n    }\n}\n')


def test_a_new_item_stands_behind_the_others_on_their_line() -> None:
    changed = put(HAND_MADE, ("hooks", "Stop", 1), {"hooks": []})
    assert changed == HAND_MADE.replace('"say done"}]}]', '"say done"}]}, {"hooks": []}]')


def test_a_replaced_value_leaves_its_neighbours_alone() -> None:
    assert put(HAND_MADE, ("model",), "haiku") == HAND_MADE.replace('"opus"', '"haiku"')


@pytest.mark.parametrize(
    ("path", "removed"),
    [
        (("model",), '"model": "opus",\n    '),
        (("permissions", "deny"), ', "deny": []'),
        (("permissions", "allow", 0), '"Bash(ls)",  '),
        (("limits", 2), ",\n       2"),
    ],
)
def test_dropping_takes_the_value_and_its_comma(path: Any, removed: str) -> None:
    assert drop(HAND_MADE, path) == HAND_MADE.replace(removed, "")


def test_windows_line_ends_stay() -> None:
    changed = put('{\r\n  "a": 1\r\n}\r\n', ("b",), {"c": 2})
    assert changed == '{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 2\r\n  }\r\n}\r\n'


def test_a_text_on_one_line_stays_on_one_line() -> None:
    assert put('{"a":1}', ("b", "c"), [1, 2]) == '{"a":1,"b":{"c":[1,2]}}'
    assert put('{"a": 1}', ("b", "c"), [1, 2]) == '{"a": 1, "b": {"c": [1, 2]}}'


@pytest.mark.parametrize("blank", ["", "\n", "{}", "{ }\n"])
def test_an_empty_file_gets_two_spaces(blank: str) -> None:
    assert put(blank, ("a",), 1).strip() == '{\n  "a": 1\n}'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": 1, // why\n"b": 2}', "line 1"),
        ('{"a": 1,\n}', "line 2"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": NaN}', "NaN"),
        ("[1]", "no JSON object"),
        ("{" * 1, "line 1"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_kept_is_refused(text: str, where: str) -> None:
    with pytest.raises(NotPlainJson, match=where):
        put(text, ("b",), 1)


@pytest.mark.parametrize("path", [("model", "x"), ("limits", "x"), ("permissions", 0)])
def test_a_path_through_something_else_is_an_error(path: Any) -> None:
    with pytest.raises(KeyError):
        put(HAND_MADE, path, 1)


def test_half_a_surrogate_pair_survives() -> None:
    text = '{"a": "\\ud800", "é": 1}'
    assert parse(put(text, ("b",), ["\ud800"]).encode().decode()) == {"a": "\ud800", "é": 1, "b": ["\ud800"]}


@settings(max_examples=50)
@given(objects, layouts, st.lists(st.text(), min_size=1, max_size=3), values)
def test_put_means_what_it_means_in_python(value: dict[str, Any], layout: Any, path: list[str], new: Any) -> None:
    text = json.dumps(value, **layout)
    expected: Any = json.loads(text)
    place = expected
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        with pytest.raises(KeyError):
            put(text, tuple(path), new)
        return
    place[path[-1]] = new
    assert json.loads(put(text, tuple(path), new)) == expected


@settings(max_examples=50)
@given(objects.filter(bool), layouts, st.text(), values)
def test_dropping_what_was_put_gives_the_same_bytes(value: dict[str, Any], layout: Any, key: str, new: Any) -> None:
    text = json.dumps(value, **layout)
    if key in value:
        return
    assert drop(put(text, (key,), new), (key,)) == text


@settings(max_examples=50)
@given(objects.filter(bool), layouts)
def test_dropping_any_member_keeps_the_others(value: dict[str, Any], layout: Any) -> None:
    text = json.dumps(value, **layout)
    for key in value:
        rest = {other: kept for other, kept in json.loads(text).items() if other != key}
        assert json.loads(drop(text, (key,))) == rest
