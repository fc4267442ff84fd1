import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts.jsontext import MAX_DEPTH, TooDeepError, decode

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("text", "value", "repaired"),
    [
        (r'"a\u0000b"', "a\ufffdb", 1),
        (r'{"k\u0000":"\ud800x\udfff"}', {"k\ufffd": "\ufffdx\ufffd"}, 3),
        (r'"\ud83d\ude00"', "\U0001f600", 0),
        (r'"\\u0000"', r"\u0000", 0),
        ("[NaN, Infinity, -Infinity, 1e999]", [None] * 4, 4),
        ("9223372036854775807", 2**63 - 1, 0),
        ("9223372036854775808", "9223372036854775808", 1),
        ("-9223372036854775808", -(2**63), 0),
        ("7" * 5_000, "7" * 5_000, 1),
    ],
)
def test_what_no_store_takes_is_replaced_and_counted(text: str, value: object, repaired: int) -> None:
    decoded = decode(text)

    assert (decoded.value, decoded.repaired) == (value, repaired)
    assert decoded.end == len(text)


@pytest.mark.parametrize("text", [nested(MAX_DEPTH + 1), nested(100_000), '{"a":' * 2_000 + "1" + "}" * 2_000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(TooDeepError):
        decode(text)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert json.dumps(decode(nested(MAX_DEPTH)).value) == nested(MAX_DEPTH)


def test_many_brackets_are_not_deep() -> None:
    text = json.dumps([[["{[" * 100]]] * 100)

    assert decode(text).value == json.loads(text)


@given(JSON_VALUES)
def test_every_json_value_becomes_storable_and_ordinary_ones_stay_as_they_are(value: object) -> None:
    text = json.dumps(value)
    decoded = decode(text)

    stored = json.dumps(decoded.value, ensure_ascii=False, allow_nan=False).encode()
    assert b"\\u0000" not in stored.replace(b"\\\\", b"")
    if not decoded.repaired:
        assert decoded.value == json.loads(text)
