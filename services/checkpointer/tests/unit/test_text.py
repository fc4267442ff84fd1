import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain.text import clip, constraints_in, decisions_in, shorten

LIMITS = st.integers(-5, 300)


@given(st.text(), LIMITS)
def test_a_shortened_text_is_one_line_within_its_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)

    assert len(short) <= max(0, limit)
    assert "\n" not in short
    if len(" ".join(text.split())) <= limit:
        assert short == " ".join(text.split())


@given(st.text(), LIMITS)
def test_a_clipped_text_keeps_its_limit_and_both_ends(text: str, limit: int) -> None:
    cut = clip(text, limit)

    assert len(cut) <= max(0, limit)
    if len(text) <= limit:
        assert cut == text
    elif limit >= 20:
        assert text.startswith(cut[: limit // 2])
        assert text.endswith(cut[-limit // 5 :])


def test_what_was_cut_out_is_marked() -> None:
    assert shorten("0123456789" * 3, 20) == "012345678901 … 56789"
    assert clip("0123456789" * 3, 20) == "0123456789\n[…]\n56789"


@pytest.mark.parametrize(
    "sentence",
    [
        "Never touch the payments module.",
        "Do not add dependencies",
        "You must not rename the API",
        "Always run the tests",
        "Only edit files under src",
        "Keep it compatible with 3.11",
        "Use sqlite instead of postgres",
        "No new libraries please",
        "Run make lint after each change",
    ],
)
def test_what_a_person_asks_to_be_kept_to_is_heard(sentence: str) -> None:
    assert list(constraints_in(f"Add a cart. {sentence}\nThanks!")) == [sentence]


def test_lists_and_plain_wishes() -> None:
    assert list(constraints_in("Please keep to this:\n- never use eval\n2. avoid globals\nAdd a cart. Fix it.")) == [
        "never use eval",
        "avoid globals",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "I'll use sqlite for the cart.",
        "Let's go with a single table.",
        "We decided to keep the old API.",
        "The root cause is a missing index.",
        "Decision: totals are rounded to the cent.",
        "I'm going to add a cache rather than a queue.",
    ],
)
def test_what_was_decided_is_heard(sentence: str) -> None:
    assert list(decisions_in(f"Looking at it now.\n{sentence}")) == [sentence]


@given(st.text(max_size=2000))
def test_any_text_can_be_read(text: str) -> None:
    assert all(len(found) <= 240 for found in [*constraints_in(text), *decisions_in(text)])


def test_a_huge_text_is_read_as_far_as_it_helps() -> None:
    assert len(list(constraints_in("never do it. " * 100_000))) < 2000
