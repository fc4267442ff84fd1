from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shim_prices import BadCatalogue, Catalogue, UnknownModel, UnknownRate, Usage, cost
from shim_prices.catalogue import canonical

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MILLION = 1_000_000
KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
RATES = "input = 1\noutput = 5\nwrite_5m = 1.25\nwrite_1h = 2\nread = 0.1\nsource = 'a page'\n"
SHIPPED = Catalogue.shipped()

counts = st.integers(0, 10_000_000)
usages = st.builds(Usage, counts, counts, counts, counts, counts)
models = st.sampled_from(sorted(SHIPPED.prices))


def catalogue(*prices: str, names: str = "['m']") -> Catalogue:
    return Catalogue.parse(f"[[model]]\nnames = {names}\n" + "".join(f"[[model.price]]\n{one}" for one in prices))


@pytest.mark.parametrize(
    ("kind", "dollars"),
    [("input", "4"), ("output", "20"), ("cache_write_5m", "5"), ("cache_write_1h", "8"), ("cache_read", "0.2")],
)
def test_every_kind_of_token_has_its_price(kind: str, dollars: str) -> None:
    assert cost("claude-opus-5-5", Usage(**{kind: MILLION}), NOW) == Decimal(dollars)


def test_a_real_run_costs_what_the_client_says() -> None:
    """Client 2.1.329 reported $0.0255 for these tokens."""
    usage = Usage(input=3000, output=75, cache_read=60_000)
    assert cost("claude-opus-5-5", usage, NOW) == Decimal("0.0255")


def test_a_price_holds_from_its_day_on() -> None:
    usage = Usage(cache_read=MILLION)
    before = datetime(2026, 10, 6, 23, 59, 59, tzinfo=UTC)
    assert cost("claude-sonnet-5-5", usage, before) == Decimal("0.2")
    assert cost("claude-sonnet-5-5", usage, datetime(2026, 10, 7, tzinfo=UTC)) == Decimal("0.1")


def test_days_are_those_of_utc() -> None:
    at = datetime.fromisoformat("2026-10-07T01:00:00+02:00")
    assert cost("claude-sonnet-5-5", Usage(cache_read=MILLION), at) == Decimal("0.2")


def test_the_first_price_also_holds_before_it_began() -> None:
    prices = catalogue(f"since = 2026-01-01\n{RATES}")
    assert prices.price("m", datetime(2020, 1, 1, tzinfo=UTC)).since == date(2026, 1, 1)


def test_a_tier_holds_for_every_token_of_a_longer_prompt() -> None:
    short = Usage(input=1, cache_read=99_999, output=1000)
    long = Usage(input=1, cache_read=100_000, output=1000)
    assert cost("claude-haiku-5-5", short, NOW) == (Decimal("0.1") + 99_999 * Decimal("0.01") + 500) / MILLION
    assert cost("claude-haiku-5-5", long, NOW) == (Decimal("0.5") + 100_000 * Decimal("0.05") + 2500) / MILLION


def test_the_long_context_premium_ended() -> None:
    usage = Usage(input=200_001)
    first, later = datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC)
    assert cost("claude-opus-4-6", usage, first) == 2 * cost("claude-opus-4-6", usage, later)


def test_the_fast_mode_has_its_own_price() -> None:
    assert cost("claude-opus-5-5", Usage(output=MILLION, fast=True), NOW) == 40


def test_an_unknown_fast_mode_is_not_priced_as_the_slow_one() -> None:
    with pytest.raises(UnknownRate, match="fast mode of 'claude-haiku-4-5'"):
        cost("claude-haiku-4-5", Usage(output=1, fast=True), NOW)


@pytest.mark.parametrize("model", ["gpt-5", "", "claude-opus-9", "claude-opus-5-5-mini", "<synthetic>"])
def test_an_unknown_model_is_never_free(model: str) -> None:
    with pytest.raises(UnknownModel) as raised:
        cost(model, Usage(), NOW)
    assert raised.value.model == model


@pytest.mark.parametrize(
    "name", ["claude-opus-4-5", "claude-opus-4-5-20251101", "claude-opus-4-5@20251101", "claude-opus-4-5-20251101[1m]"]
)
def test_date_and_window_do_not_matter(name: str) -> None:
    assert canonical(name) == "claude-opus-4-5"


@given(models, usages, usages)
def test_more_tokens_never_cost_less(model: str, usage: Usage, more: Usage) -> None:
    both = Usage(*(getattr(usage, kind) + getattr(more, kind) for kind in KINDS))
    assert SHIPPED.cost(model, both, NOW) >= SHIPPED.cost(model, usage, NOW)


@given(usages)
def test_a_model_without_tiers_adds_up(usage: Usage) -> None:
    parts = (Usage(**{kind: getattr(usage, kind)}) for kind in KINDS)
    assert SHIPPED.cost("claude-opus-5-5", usage, NOW) == sum(cost("claude-opus-5-5", part, NOW) for part in parts)


@pytest.mark.parametrize("name", sorted(SHIPPED.prices))
def test_shipped_prices_keep_the_sellers_order(name: str) -> None:
    for price in SHIPPED.prices[name]:
        for rates in (price.rates, price.fast, *(tier.rates for tier in price.tiers)):
            if rates is not None:
                assert rates.cache_read < rates.input < rates.cache_write_5m < rates.cache_write_1h < rates.output
        assert price.source


def test_usage_of_a_reply_of_the_api() -> None:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 500,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 7,
        "speed": "standard",
    }
    assert Usage.of(usage) == Usage(3, 7, 10, 20, 500)
    assert Usage.of(usage).prompt == 533
    assert Usage.of(usage).total == 540


def test_writes_that_are_not_split_are_of_five_minutes() -> None:
    assert Usage.of({"cache_creation_input_tokens": 30}) == Usage(cache_write_5m=30)
    part = {"cache_creation_input_tokens": 30, "cache_creation": {"ephemeral_1h_input_tokens": 20}}
    assert Usage.of(part) == Usage(cache_write_5m=10, cache_write_1h=20)


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text is slow to draw: it loads tables
@given(
    st.dictionaries(st.sampled_from(["input_tokens", "cache_creation", "speed"]), st.none() | st.text() | st.floats())
)
def test_malformed_usage_counts_nothing(usage: dict[str, object]) -> None:
    assert Usage.of(usage).total == 0


@pytest.mark.parametrize(
    "prices",
    [
        [RATES, RATES],
        [RATES, f"since = 2026-02-01\n{RATES}", f"since = 2026-01-01\n{RATES}"],
        [RATES.replace("read = 0.1", "")],
        [RATES.replace("0.1", "0")],
        [RATES.replace("0.1", "'0.1'")],
        [RATES.replace("0.1", "nan")],
        [f"since = 'May'\n{RATES}"],
        [],
    ],
)
def test_a_damaged_catalogue_is_refused(prices: list[str]) -> None:
    with pytest.raises(BadCatalogue):
        catalogue(*prices)


@pytest.mark.parametrize("names", ["['m', 'm']", "5"])
def test_names_must_be_unique(names: str) -> None:
    with pytest.raises(BadCatalogue):
        catalogue(RATES, names=names)


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(BadCatalogue, match="no price catalogue"):
        Catalogue.parse("[[model")
