"""When the context will be exhausted: the risk model fed with a session's entries, and what it learns kept."""

from collections.abc import Iterable, Iterator, Sequence

import orjson

from shim_checkpointer.domain.digest import SYNTHETIC_MODEL
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.signals import LARGE_WINDOW
from shim_checkpointer.ports import Unit
from shim_checkpointer.usecases.context import Context
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import EntryKind, RiskReport
from shim_risk.book import ThresholdBook
from shim_risk.model import Risk, RiskModel
from shim_risk.observations import ApiCall, Compaction, Observation, Pending, estimate_tokens
from shim_risk.session import SessionRisk


class Foreseeing:
    """Keeps a risk per session and one book of thresholds for all."""

    def __init__(self, context: Context, model: RiskModel | None = None) -> None:
        self._context = context
        self._model = model or RiskModel()
        self._is_loaded = False

    async def step(self, unit: Unit, session: Kept, fresh: Sequence[LogEntry]) -> RiskReport | None:
        """Take entries in; return the risk as of now, judged once for all of them. The caller saves the session."""
        kept = session.risk or {}
        state = _state_of(kept)
        last_call: str | None = kept.get("last_call")
        seen = list(observations(fresh, last_call))
        if not seen:
            return self.report(session)
        if not self._is_loaded:
            await self._load(unit)
        for call_id, observation in seen:
            last_call = call_id or last_call
            if isinstance(observation, Compaction) and observation.automatic:
                await self._learn(unit, state, observation)
            before, state = state, state.after(observation)
        state, risk = self._model.step(before, observation)
        session.risk = {"state": state.to_json(), "last_call": last_call, "report": self._dump(risk)}
        return self.report(session)

    def report(self, session: Kept) -> RiskReport | None:
        """Return the last risk of a session; None before its first API call."""
        return RiskReport(**session.risk["report"]) if session.risk else None

    def _dump(self, risk: Risk) -> JsonObject:
        report = RiskReport(
            at=self._context.clock.now(),
            probability=risk.probability,
            calls_left=risk.calls_left,
            calls_left_low=risk.calls_left_low,
            calls_left_high=risk.calls_left_high,
            threshold_tokens=risk.threshold_tokens,
            context_tokens=risk.context_tokens,
            alarm=risk.alarm,
            why="; ".join(risk.reasons),
        )
        return report.model_dump(mode="json")

    async def _load(self, unit: Unit) -> None:
        document = await unit.risk_book()
        if document is not None:
            self._model = self._model.with_book(ThresholdBook.from_json(document["book"]))
        self._is_loaded = True

    async def _learn(self, unit: Unit, state: SessionRisk, seen: Compaction) -> None:
        await self._load(unit)
        book = self._model.book.observe(state.key, state.evidence_of(seen))
        await unit.save_risk_book({"book": book.to_json()})
        self._model = self._model.with_book(book)


def _state_of(kept: JsonObject) -> SessionRisk:
    """Return the risk's state; a fresh one where another version of SHIM wrote it, which few calls make good."""
    try:
        return SessionRisk.from_json(kept["state"])
    except (KeyError, ValueError):
        return SessionRisk()


def observations(entries: Iterable[LogEntry], last_call: str | None) -> Iterator[tuple[str | None, Observation]]:
    """Yield what entries show of the context, with the id of the API call where it is one.

    A reply comes as one entry per content block, all with the same id and usage: the first one counts.
    """
    for entry in entries:
        if entry.kind is EntryKind.COMPACTION:
            yield None, _compaction(entry.body)
        elif entry.kind is EntryKind.USAGE:
            yield None, _call(entry.body, entry.body)
        elif entry.kind is EntryKind.TOOL_RESULT:
            yield None, Pending(estimate_tokens(len(orjson.dumps(entry.body))))
        elif entry.kind is EntryKind.MESSAGE and not entry.body.get("isSidechain"):
            message = entry.body.get("message")
            if not isinstance(message, dict):
                continue
            usage, call_id = message.get("usage"), message.get("id")
            if message.get("role") == "user":
                yield None, Pending(estimate_tokens(len(orjson.dumps(message.get("content")))))
            elif isinstance(usage, dict) and call_id != last_call and message.get("model") != SYNTHETIC_MODEL:
                last_call = call_id if isinstance(call_id, str) else None
                yield last_call, _call(usage, {**entry.body, "model": message.get("model")})


def _call(usage: JsonObject, about: JsonObject) -> ApiCall:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    model, version = about.get("model"), about.get("version")
    return ApiCall(
        context_tokens=sum(_count(usage, name) for name in names),
        output_tokens=_count(usage, "output_tokens"),
        model=model if isinstance(model, str) else None,
        client_version=version if isinstance(version, str) else None,
        window=LARGE_WINDOW if isinstance(model, str) and "[1m]" in model else None,
    )


def _compaction(body: JsonObject) -> Compaction:
    about = body.get("compactMetadata", body)
    about = about if isinstance(about, dict) else {}
    tokens = about.get("preTokens", about.get("pre_tokens"))
    return Compaction(
        automatic=about.get("trigger", "auto") == "auto", pre_tokens=tokens if isinstance(tokens, int) else None
    )


def _count(usage: JsonObject, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
