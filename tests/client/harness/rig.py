"""Everything of one test, put together: the scripted API, the hook sink and a client whose hooks go there."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .client import Client, Home
from .fake_api import FakeApi
from .hook_sink import HookSink, Manner
from .install import Installation
from .script import Step
from .settings import all_hooks

SettingsFor = Callable[[str], dict[str, Any]]
"""Makes the user settings from the sink's URL."""


@dataclass(frozen=True)
class Rig:
    """The running parts."""

    api: FakeApi
    sink: HookSink
    client: Client
    home: Home

    def hooks(self) -> list[str]:
        """Return the names of the events received, in order."""
        return [hook.event for hook in self.sink.received]


@asynccontextmanager
async def rigged(
    installation: Installation,
    root: Path,
    script: Iterable[Step] = (),
    *,
    settings: SettingsFor = all_hooks,
    manner: Manner = Manner.ANSWER,
) -> AsyncIterator[Rig]:
    """Start the parts below the folder `root` and end them, with every process the client left."""
    home = Home.below(root)
    async with FakeApi(script) as api, HookSink(manner) as sink:
        home.write_settings(settings(sink.url))
        client = Client(installation, home, api.url)
        try:
            yield Rig(api, sink, client, home)
        finally:
            await client.end()


Rigging = Callable[..., AbstractAsyncContextManager[Rig]]
"""What the fixture `rig` gives to a test: `rigged` with client and folder settled."""
