"""The whole of it, put together: the scripted API, the real client with SHIM's hooks, and the real SHIM."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from shim_common.contracts.sessions import Entry, Session
from shim_mcp.api import HttpApi

from .client import Client, Home
from .connections import Connections
from .fake_api import FakeApi
from .install import Installation
from .script import Step
from .stack import Stack
from .told import Given

PAGE = 200


@dataclass(frozen=True)
class Scene:
    """The running parts."""

    api: FakeApi
    client: Client
    home: Home
    shim: HttpApi
    stack: Stack

    async def session(self, session: str) -> Session:
        """Return what SHIM says of a session. Raises ApiError if it knows none."""
        return await self.shim.session(session)

    async def entries(self, session: str) -> list[Entry]:
        """Return the session's whole log."""
        entries: list[Entry] = []
        while True:
            page = await self.shim.entries(session, after=len(entries), limit=PAGE)
            entries += page.items
            if len(page.items) < PAGE:
                return entries

    async def given(self, session: str) -> Given:
        """Return all that SHIM gives of a session."""
        return Given(
            session=await self.session(session),
            entries=await self.entries(session),
            recovery=await self.shim.recovery(session_id=session),
        )


@asynccontextmanager
async def staged(
    stack: Stack,
    connections: Connections,
    root: Path,
    installation: Installation,
    script: Iterable[Step] = (),
    *,
    url: str | None = None,
) -> AsyncIterator[Scene]:
    """Start the parts with folders below `root`; end every process the client leaves. Hooks go to `url`, if given."""
    home = Home.below(root, config=connections.config(installation, url))
    async with FakeApi(script) as api, stack.api() as shim:
        client = Client(installation, home, api.url)
        try:
            yield Scene(api, client, home, shim, stack)
        finally:
            await client.end()


Stage = Callable[..., AbstractAsyncContextManager[Scene]]
"""What the fixture `stage` gives to a test: `staged` with stack and folder settled, the client by its version."""
Staging = Callable[..., AbstractAsyncContextManager[Scene]]
"""What the fixture `scene` gives to a test: the same with the client settled too."""
