"""A list that grows while it is being watched: the only way these tests wait for anything."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

Item = TypeVar("Item")

PATIENCE = 60.0
"""Seconds to wait for an item before a test fails; starting a client takes about one."""


class Ended(Exception):
    """The log was closed, so the awaited item can no longer come."""


def anything(_: object) -> bool:
    """Accept every item."""
    return True


class Log(Sequence[Item], Generic[Item]):
    """An append-only sequence with waiters, whose patience may be changed."""

    def __init__(self, name: str, label: Callable[[Item], object] = repr, patience: float = PATIENCE) -> None:
        """Call it `name` and its items by their `label` in error messages; wait `patience` seconds at most."""
        self._name = name
        self.patience = patience
        self._label = label
        self._items: list[Item] = []
        self._closed = False
        self._changed = asyncio.Event()

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def append(self, item: Item) -> None:
        """Add an item and wake the waiters."""
        self._items.append(item)
        self._wake()

    def close(self) -> None:
        """Say that nothing more will come."""
        self._closed = True
        self._wake()

    async def first(self, where: Callable[[Item], bool] = anything) -> Item:
        """Return the first matching item, waiting for it if need be; see `nth` for the errors."""
        return await self.nth(1, where)

    async def nth(self, n: int, where: Callable[[Item], bool] = anything) -> Item:
        """Return the n-th matching item (counted from 1), waiting for it if need be.

        Raises TimeoutError when patience is over and Ended when the log closes first; both show what was logged.
        """
        try:
            async with asyncio.timeout(self.patience):
                while True:
                    changed = self._changed
                    matching = [item for item in self._items if where(item)]
                    if len(matching) >= n:
                        return matching[n - 1]
                    if self._closed:
                        raise Ended(f"{self._name} ended without the awaited item; {self._holds()}")
                    await changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self._name}: not seen within {self.patience} s; {self._holds()}") from None

    def _holds(self) -> str:
        return f"it holds {[self._label(item) for item in self._items]}"

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
