"""A reader of the live events that is cut off again and again, and resumes where it was."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from pydantic import ValidationError

from shim_cli.api import sse_data
from shim_common.contracts.envelope import Event

FROM_THE_FIRST = "evt_none"
"""No event has this id, so everything that is kept is told first."""
SILENCE_SECONDS = 2.0
"""After this long without a word the reader hangs up and resumes."""
PAUSE_SECONDS = 0.05


class Listener:
    """Hears every event once or more, in a thread of its own."""

    def __init__(self, url: str, key: str) -> None:
        self.resumed = 0
        self._heard: dict[str, Event] = {}
        self._checkpoints: set[object] = set()
        self._last = FROM_THE_FIRST
        self._stopping = threading.Event()
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._thread = threading.Thread(target=self._listen, name="listener")

    @property
    def heard(self) -> Sequence[Event]:
        """The events so far, each once, in the order they were first heard."""
        return list(self._heard.values())

    def has_heard_checkpoint(self, checkpoint_id: str) -> bool:
        """Tell whether the event of this checkpoint has come."""
        return checkpoint_id in self._checkpoints

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        timeout = httpx.Timeout(SILENCE_SECONDS)
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=timeout, trust_env=False) as http:
            while not self._stopping.is_set():
                try:
                    self._hear(http)
                except (httpx.TransportError, ValidationError):  # cut off, or told that it lagged
                    self.resumed += 1
                self._stopping.wait(PAUSE_SECONDS)

    def _hear(self, http: httpx.Client) -> None:
        with http.stream("GET", "/v1/events/stream", headers={"Last-Event-ID": self._last}) as answer:
            if answer.status_code != httpx.codes.OK:
                return
            for data in sse_data(answer.iter_lines()):
                event = Event.model_validate_json(data)
                self._heard.setdefault(event.id, event)
                self._checkpoints.add(event.data.get("checkpoint_id"))
                self._last = event.id
                if self._stopping.is_set():
                    return


@contextmanager
def listening(url: str, key: str) -> Iterator[Listener]:
    """Listen for the length of a block."""
    listener = Listener(url, key)
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()
