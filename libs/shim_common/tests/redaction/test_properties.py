"""Laws that hold for any input: pure, idempotent, shape-preserving, total, linear."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shim_common.redaction import JsonValue, StreamRedactor, redact_json, redact_text
from shim_common.redaction.contexts import CONTEXTS
from shim_common.redaction.formats import FORMATS
from shim_common.redaction.private_keys import PRIVATE_KEYS
from shim_common.redaction.stream import LONGEST_HELD
from shim_common.redaction.text import fold

_SECRETS = (
    "ghp_" + "a1B2" * 9,
    "AKIA" + "Q2W3E4R5T6Y7U8I9",
    "dapi" + "0f1e2d3c" * 4,
    "sk-ant-api03-" + "aB3_" * 12,
    "eyJ" + "aB3dE5fG" * 2 + ".eyJ" + "hJ7kL9mN" * 2 + "." + "pQ1rS3tU" * 3,
    "hunter2!xyz",
    "Zq8" * 14,
    "-----BEGIN PRIVATE KEY-----\n" + ("q7W9" * 16 + "\n") * 3 + "-----END PRIVATE KEY-----",
)
_PIECES = st.sampled_from(
    [
        *_SECRETS,
        *(anchor for rule in (*PRIVATE_KEYS, *CONTEXTS) for anchor in rule.anchors),
        *(rule.anchors[0] for rule in FORMATS),
        *"\"'`\\\n\t =:;,@/&?#<>()[]{}|%-_.~",
        *("password", "api_key", "Authorization: Bearer ", "Cookie: a=", "postgres://bob:", "https://", "--token "),
        *("[redacted:", "[redacted:jwt:3f9a]", "]", "\\n", "\\u0022", '\\"', "\x00", "\ud800", "İ", "ß", "…"),
    ]
)
_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
_TEXT = st.lists(_PIECES | _ANY_TEXT, max_size=25).map("".join)
_KEYS = st.sampled_from(["password", "api_key", "name", "value", "auth", "text", "token"]) | _ANY_TEXT
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def shape(value: JsonValue) -> Any:
    """Return a JSON value with every string the same."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "text" if isinstance(value, str) else repr(value)


def grows_in_step(work: Callable[[str], object], unit: str) -> bool:
    """Return whether work on four times the text costs nearer to four times as much than to sixteen."""

    def cost(size: int) -> float:
        text = unit * (size // len(unit) + 1)
        times = []
        for _ in range(3):
            start = time.process_time()
            work(text)
            times.append(time.process_time() - start)
        return min(times)

    return cost(48_000) < 9 * cost(12_000) + 0.002


@given(_TEXT)
@settings(max_examples=250, deadline=None)
def test_redacting_a_text_again_changes_nothing(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once.text) == (once.text, ())
    assert redact_text(text) == once


@given(_JSON)
@settings(max_examples=120, deadline=None)
def test_json_keeps_its_shape_and_redacting_it_again_changes_nothing(value: JsonValue) -> None:
    before = repr(value)
    once = redact_json(value)
    assert repr(value) == before
    assert shape(once.value) == shape(value)
    assert repr(redact_json(once.value).value) == repr(once.value)
    assert redact_json(once.value).findings == ()


@given(_TEXT, st.data())
@settings(max_examples=150, deadline=None)
def test_a_stream_gives_what_the_whole_text_gives(text: str, data: st.DataObject) -> None:
    stream = StreamRedactor()
    safe, rest = [], text
    while rest:
        cut = data.draw(st.integers(1, max(1, min(len(rest), 30))))
        safe.append(stream.feed(rest[:cut]))
        rest = rest[cut:]
    assert "".join((*safe, stream.flush())) == redact_text(text).text


@given(st.sampled_from(_SECRETS), st.sampled_from(_SECRETS))
def test_a_finding_names_its_secret_without_telling_it(first: str, second: str) -> None:
    markers = [redact_text(f'password = "{secret}"').text for secret in (first, second, first)]
    assert markers[0] == markers[2]
    assert all(secret not in marker for secret in _SECRETS for marker in markers) or "\n" in first + second
    assert all(len(finding.fingerprint) == 4 for finding in redact_text(first).findings)


def test_deep_and_odd_json_is_walked() -> None:
    deep: JsonValue = {"password": "hunter2!xyz"}
    for _ in range(5_000):
        deep = [deep]
    redacted = redact_json(deep)
    assert len(redacted.findings) == 1
    odd = json.loads('{"\\ud800": "\\udfff\\u0000", "": [[], {}, "", -0.0, 1e999]}')
    assert shape(redact_json(odd).value) == shape(odd)


def test_folding_keeps_every_character_at_its_place() -> None:
    every = "".join(map(chr, range(0x110000)))
    folded = fold(every)
    assert folded[:128] == every[:128].lower()
    assert len(folded) == len(every)
    assert all(ord(character) == 0 or ord(character) > 127 for character in folded[128:])


def test_anchors_are_written_as_they_are_looked_for() -> None:
    word = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~")
    assert [anchor for rule in FORMATS for anchor in rule.anchors if not set(anchor) <= word] == []
    assert [anchor for rule in CONTEXTS for anchor in rule.anchors if anchor != anchor.lower()] == []


@given(st.lists(_TEXT, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_is_found_in_a_text_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    assert redact_json([*texts]).value == [redact_text(text).text for text in texts]


def test_a_secret_beside_a_marker_is_found_once() -> None:
    text = f'password = "{"Zq8" * 60}[redacted:jwt:3f9a]"'
    once = redact_text(text)
    assert len(once.findings) == 1
    assert redact_text(once.text) == (once.text, ())


def test_a_key_glued_to_another_does_not_slip_through_a_stream() -> None:
    body = "q7W9" * 16
    header = "-----BEGIN PRIVATE KEY-----\n"
    text = header + body + header + body + "\n" + body + "\n-----END PRIVATE KEY-----\nthe end\n"
    for size in (1, 5, 29, 64):
        stream = StreamRedactor()
        safe = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join((*safe, stream.flush())) == redact_text(text).text
    assert "q7W9" not in redact_text(text).text


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "A", " ", "\\", "-", "key=", "api_key=", "API_KEY=", "password:", 'password="', "token ", "token: x"),
        *("sk-ant-", "sk-", "sk-a1", "eyJ", "eyJ-", "eyJa.", "ops_eyJ", "ghp_", "xoxb-1", "glpat-0a", "AAE", "MTA."),
        *("://", "://a:", "postgres://a:", "bearer ", "authorization=", "cookie: a=", "cookie:a=b;", "set-cookie:a="),
        *("-----BEGIN PRIVATE KEY-----\n", "Private-Lines: 3\n", "-----BEGIN PRIVATE KEY-----", "sig=", "hooks/"),
        "dapi" + "0f" * 16,
        "-----BEGIN PRIVATE KEY-----\n" + "A1" * 32 + "\n",
        "\\n" * 10 + "AKIA",
        "[redacted:jwt:3f9a]",
    ],
)
def test_cost_grows_in_step_with_the_text(unit: str) -> None:
    assert grows_in_step(redact_text, unit)


@pytest.mark.parametrize(
    "unit", ["\n", "key=\n", "-----BEGIN PRIVATE KEY-----\n", "Private-Lines: 3\n", "q7W9" * 16 + "\n"]
)
def test_cost_of_a_stream_grows_in_step_with_its_lines(unit: str) -> None:
    def feed_lines(text: str) -> None:
        stream = StreamRedactor()
        for line in text.splitlines(keepends=True):
            stream.feed(line)
        stream.flush()

    assert grows_in_step(feed_lines, unit)


def test_a_stream_holds_a_bounded_part_of_a_line_without_end() -> None:
    stream = StreamRedactor()
    piece = "word " * 1_000
    handed_on = 0
    for fed in range(len(piece), 100 * len(piece), len(piece)):
        handed_on += len(stream.feed(piece))
        assert fed - handed_on <= LONGEST_HELD
    assert handed_on + len(stream.flush()) == 99 * len(piece)


def test_a_line_without_end_is_cut_in_no_secret() -> None:
    stream = StreamRedactor()
    line = ("word " * 150 + _SECRETS[0] + " api_key: '" + _SECRETS[6] + "' ") * 400
    pieces = [stream.feed(line[at : at + 3_000]) for at in range(0, len(line), 3_000)]
    assert "".join((*pieces, stream.flush())) == redact_text(line).text


def test_a_secret_longer_than_what_a_stream_holds_leaves_no_rest() -> None:
    stream = StreamRedactor()
    text = "x sk-ant-" + "aB3_" * 100_000 + " and more"
    safe = [stream.feed(text[at : at + 1000]) for at in range(0, len(text), 1000)]
    joined = "".join((*safe, stream.flush()))
    assert "aB3_" not in joined
    assert joined.startswith("x [redacted:anthropic-key:")
    assert joined.endswith("] and more")
