"""People at work while SHIM is killed: sessions replayed over and over, and a transcript that grows."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shim_cli.api import Api
from shim_cli.demo import mid_tool
from shim_cli.errors import ApiProblem, NotRunning
from shim_cli.replay import Player, Recording, ReplayReport, Wish
from shim_common.contracts import sessions as wire
from shim_common.kernel.clock import SystemClock

from ..stack.rig.client import ConnectedClient, prompt_line
from ..stack.rig.player import Nobody
from ..stack.rig.recordings import SHIPPED
from ..stack.rig.stack import Stack

SPEED = 15.0
"""Recorded seconds a second: the shipped session takes 3 s."""
PATIENCE = 120.0
"""Seconds for which one request is repeated."""
PAUSE = 0.05
"""Seconds between two lines of the transcript, and between two tries."""
PROJECT = Path("/shim-test/chaos")


class Counting(httpx.BaseTransport):
    """Passes requests on and counts the statuses of the answers."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self._transport = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        answer = self._transport.handle_request(request)
        self.statuses[answer.status_code] += 1
        return answer

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class PatientApi(Api):
    """Also opens sessions while SHIM is away, as an assistant that comes up would."""

    def open_session(self, new: wire.NewSession) -> wire.Session:
        """Open a session as soon as that can be."""
        while True:
            try:
                return super().open_session(new)
            except NotRunning:
                time.sleep(PAUSE)
            except ApiProblem as problem:
                if problem.problem.status != httpx.codes.SERVICE_UNAVAILABLE:
                    raise
                time.sleep(PAUSE)


@dataclass
class Worker:
    """Replays the shipped session again and again, killed in the middle of a tool call each time, and verified."""

    stack: Stack
    reports: list[ReplayReport] = field(default_factory=list)
    error: BaseException | None = None
    transport: Counting = field(default_factory=Counting)

    def work(self, stopping: threading.Event) -> None:
        """Replay until told to stop; the last replay is finished and verified too."""
        wish = Wish(speed=SPEED, kill_at=mid_tool(Recording(SHIPPED)), project=PROJECT)
        try:
            with PatientApi(self.stack.url, self.stack.key(), self.transport) as api:
                player = Player(api, SystemClock(), Nobody(), patience=PATIENCE)
                while not stopping.is_set():
                    self.reports.append(player.play(Recording(SHIPPED), wish))
        except BaseException as error:  # noqa: BLE001 - the end of a thread; the test raises it
            self.error = error


@dataclass
class Growth:
    """A transcript that a client writes line by line, as long as it lives."""

    client: ConnectedClient
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    keys: list[str] = field(default_factory=list)

    def work(self, stopping: threading.Event) -> None:
        """Write until told to stop."""
        with self.client.transcript(self.session).open("ab", buffering=0) as file:
            while not stopping.wait(PAUSE):
                key = str(uuid.uuid4())
                file.write(prompt_line(self.session, key, f"line {len(self.keys)}"))
                self.keys.append(key)


@contextmanager
def at_work(*loads: Worker | Growth) -> Iterator[None]:
    """Let them work for the length of a block."""
    stopping = threading.Event()
    threads = [threading.Thread(target=load.work, args=(stopping,)) for load in loads]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
