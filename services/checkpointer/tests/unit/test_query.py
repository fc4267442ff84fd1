import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain import query
from shim_checkpointer.domain.query import SearchQuery, Term, parse, snippet
from shim_common.kernel.errors import Unprocessable


def open_(*words: str) -> Term:
    return Term(words, is_open=True)


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("cart", [open_("cart")], []),
        ("Cart  PRICES", [open_("cart"), open_("prices")], []),
        ("discount_cents", [open_("discount", "cents")], []),
        ("src/cart.py", [open_("src", "cart", "py")], []),
        ('"whole cents"', [Term(("whole", "cents"))], []),
        ('"whole cents', [Term(("whole", "cents"))], []),
        ("cart -test", [open_("cart")], [open_("test")]),
        ('cart -"whole cents"', [open_("cart")], [Term(("whole", "cents"))]),
        ("a", [Term(("a",))], []),
        ("exit-code", [open_("exit", "code")], []),
        ("fix & (!x | y):*", [open_("fix"), Term(("x",)), Term(("y",))], []),
        ("Größe", [open_("größe")], []),
    ],
)
def test_what_is_written(text: str, wanted: list[Term], unwanted: list[Term]) -> None:
    assert parse(text) == SearchQuery(tuple(wanted), tuple(unwanted))


def test_what_the_index_is_asked() -> None:
    query = parse('discount_cents "a b" -x -"c d"')

    assert query.tsquery() == "'discount' & 'cents':* & 'a' & 'b' & !'x'"
    assert query.runs(wanted=True) == [" discount cents", " a b "]
    assert query.runs(wanted=False) == [" c d "]


@pytest.mark.parametrize("text", ["", " ", "-", '""', "& | ! ( ) : * <->", "-cart", '-"whole cents"', "_ _", "…"])
def test_what_names_no_word(text: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        parse(text)
    assert refused.value.problem_code == "no_words"


def test_far_too_many_words() -> None:
    assert len(parse("ab " * query.MOST_TERMS).wanted) == query.MOST_TERMS
    with pytest.raises(Unprocessable) as refused:
        parse("a_b " * (query.MOST_TERMS // 2 + 1))
    assert refused.value.problem_code == "too_many_words"


def shown(text: str, words: str) -> list[str]:
    line = snippet(text, parse(words).wanted)
    return [line.text[start:end] for start, end in line.marks]


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("Fix the cart", "CART", ["cart"]),
        ("carts and cartoons, not a handcart", "cart", ["carts", "cartoons"]),
        ("carts and cart", '"cart"', ["cart"]),
        ("set discount_cents = 5", "discount_ce", ["discount_cents"]),
        ("in src/shop/cart.py: total", "shop cart.py", ["shop", "cart.py"]),
        ("whole\n  cents", '"whole cents"', ["whole cents"]),
        ("nothing here", "cart", []),
    ],
)
def test_finds_are_marked(text: str, words: str, marked: list[str]) -> None:
    assert shown(text, words) == marked


def test_a_snippet_is_a_line_around_the_first_find() -> None:
    line = snippet("lorem ipsum " * 100 + "the discount\nis wrong " + "dolor sit " * 100, parse("discount").wanted)

    assert line.text.startswith("… ")
    assert line.text.endswith(" …")
    assert "the discount is wrong" in line.text
    assert len(line.text) <= 204
    assert snippet("short", parse("short").wanted).text == "short"


@given(st.text(max_size=600), st.text(max_size=60))
def test_any_text_and_any_query(text: str, words: str) -> None:
    try:
        wanted = parse(words).wanted
    except Unprocessable:
        return
    line = snippet(text, wanted)
    assert "\n" not in line.text
    assert all(0 <= start < end <= len(line.text) for start, end in line.marks)
