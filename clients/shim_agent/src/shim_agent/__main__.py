"""The agent's process: `python -m shim_agent`. It ends on SIGTERM or SIGINT."""

import asyncio
import signal
from contextlib import suppress

from shim_agent.app import Agent
from shim_agent.settings import AgentSettings
from shim_common.kernel.clock import SystemClock
from shim_common.observability import logs


async def _run() -> None:
    work = asyncio.ensure_future(Agent(AgentSettings(), SystemClock()).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


def main() -> None:
    """Run the agent until it is told to stop."""
    logs.configure("agent")
    asyncio.run(_run())


if __name__ == "__main__":
    main()
