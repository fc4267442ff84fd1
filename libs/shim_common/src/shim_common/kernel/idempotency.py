"""Requests that may come again: the same key gets the same answer, and the effect once."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from shim_common.kernel.errors import Unprocessable


@dataclass(frozen=True)
class Answer:
    """A response kept for a request that may come again."""

    request: bytes
    status: int
    body: bytes


class Requests(Protocol):
    """Answers to requests with an Idempotency-Key, inside a transaction."""

    async def find(self, caller: str, route: str, key: str) -> Answer | None:
        """Return the answer given before; requests with the same key wait for one another."""
        ...

    async def keep(self, caller: str, route: str, key: str, answer: Answer, at: datetime) -> None:
        """Keep an answer."""
        ...


@dataclass(frozen=True)
class Once:
    """A request with an Idempotency-Key."""

    caller: str
    route: str
    key: str
    request: bytes

    @property
    def fingerprint(self) -> bytes:
        """What tells this request from another one with the same key."""
        return hashlib.sha256(self.request).digest()


async def once(
    requests: Requests, request: Once | None, make: Callable[[], Awaitable[tuple[int, BaseModel]]], now: datetime
) -> tuple[int, bytes]:
    """Do it, or return what was answered when it was done; effect and answer are one transaction.

    Raises:
        Unprocessable: the key was used for another request.
    """
    if request is None:
        status, model = await make()
        return status, model.model_dump_json().encode()
    earlier = await requests.find(request.caller, request.route, request.key)
    if earlier is not None:
        if earlier.request != request.fingerprint:
            raise Unprocessable(
                "this Idempotency-Key was used for another request; take a new one", code="idempotency_key_reused"
            )
        return earlier.status, earlier.body
    status, model = await make()
    answer = Answer(request.fingerprint, status, model.model_dump_json().encode())
    await requests.keep(request.caller, request.route, request.key, answer, now)
    return answer.status, answer.body
