"""Tells the person at the desktop, where the platform has a way."""

import asyncio
import shutil
import sys
from contextlib import suppress

SHOWN_SECONDS = 5.0
"""A notifier that takes longer hangs."""


def command(title: str, text: str, platform: str = sys.platform) -> list[str] | None:
    """Return the command that shows a notification; None where there is none. Nothing passes through a shell."""
    if platform == "darwin" and (found := shutil.which("osascript")):
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
        return [found, "-e", script, title, text]
    if found := shutil.which("notify-send"):
        return [found, "--app-name=SHIM", "--", title, text]
    return None


async def notify(title: str, text: str) -> bool:
    """Show a notification; tell whether somebody took it. Without a desktop nobody does, which is no error."""
    arguments = command(title, text)
    if arguments is None:
        return False
    with suppress(OSError, TimeoutError):
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(SHOWN_SECONDS):
                return await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
    return False
