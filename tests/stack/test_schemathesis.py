"""Requests that a machine makes up from the OpenAPI document: none breaks anything, every answer is documented."""

import asyncio
import hashlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response

from shim_checkpointer.app import create_app as create_checkpointer
from shim_checkpointer.settings import Settings as CheckpointerSettings
from shim_common.testing.servers import PostgresServer, ValkeyServer
from shim_common.web.serve import Server, server
from shim_gateway.app import create_app as create_gateway
from shim_gateway.settings import Settings as GatewaySettings
from shim_supervisor.app import create_app as create_supervisor
from shim_supervisor.settings import Settings as SupervisorSettings

EXAMPLES = 15
"""Requests made up for each operation, besides those at the edges of what is allowed."""
ENDLESS = "/v1/events/stream"
CONTENT = b"a content"

CONFIG = """
[dictionaries]
{dictionaries}

[parameters]
{parameters}

[generation]
allow-extra-parameters = false
deterministic = true

# What is valid by its shape may still be against a rule: a cursor that was never given out, a key that is over.
[checks]
positive_data_acceptance.enabled = false
# The limit on failures without a key answers these with 429; the gateway's own tests ask every route.
ignored_auth.enabled = false
missing_required_header.enabled = false

# `PUT /v1/blobs/{{sha256}}` takes its path too.
[[operations]]
include-name = "POST /v1/blobs/missing"
checks.unsupported_method.enabled = false
"""


class Served:
    """A gateway and the services behind it, served by a thread."""

    def __init__(self, settings: GatewaySettings) -> None:
        theirs = settings.model_dump(include={"home", "database_url", "redis_url"})
        self._settings = settings
        self._checkpointer = create_checkpointer(CheckpointerSettings.model_validate(theirs))
        self._supervisor = create_supervisor(SupervisorSettings.model_validate(theirs))
        self._gateway = create_gateway(settings)
        self._servers: list[Server] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="served")
        self._is_up = threading.Event()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        assert self._is_up.wait(60), "the services do not come up; see the captured log"

    def stop(self) -> None:
        """Serve no more."""
        for one in self._servers:
            one.should_exit = True
        self._thread.join()

    @property
    def url(self) -> str:
        """The gateway's address."""
        host, port = self._servers[0].servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    @property
    def headers(self) -> dict[str, str]:
        """What opens everything."""
        return {"authorization": f"Bearer {(self._settings.keys_dir / 'admin.key').read_text()}"}

    async def _serve(self) -> None:
        self._servers = [
            server(self._gateway, "http://127.0.0.1:0"),
            server(self._checkpointer, self._settings.checkpointer_url),
            server(self._supervisor, self._settings.supervisor_url),
            server(Response(), self._settings.mcp_url),
        ]
        serving = [asyncio.create_task(one.serve()) for one in self._servers]
        while not all(one.started for one in self._servers):
            await asyncio.sleep(0.01)
        self._is_up.set()
        await asyncio.gather(*serving)


@pytest.fixture
def served(postgres_server: PostgresServer, valkey_server: ValkeyServer) -> Iterator[Served]:
    url = postgres_server.create_database()
    with tempfile.TemporaryDirectory(prefix="shim-pair-") as folder:
        served = Served(
            GatewaySettings(
                home=Path(folder) / "home",
                database_url=url,
                redis_url=valkey_server.fresh_database(),
                checkpointer_url=f"unix://{folder}/checkpointer.sock",
                supervisor_url=f"unix://{folder}/supervisor.sock",
                mcp_url=f"unix://{folder}/mcp.sock",
            )
        )
        served.start()
        yield served
        served.stop()
    postgres_server.drop_database(url)


@pytest.fixture
def existing(served: Served) -> dict[str, str]:
    """Parameters of paths, and the name of something that there is."""
    with httpx.Client(base_url=served.url, headers=served.headers, trust_env=False) as http:

        def post(path: str, method: str = "POST", **command: object) -> str:
            answer = http.request(method, path, json=command)
            assert answer.status_code in (200, 201), answer.text
            return str(answer.json().get("id"))

        sid = post("/v1/sessions", client="test", client_session_id="known", project="/home/ana/webshop")
        at = "2026-11-20T12:00:00Z"
        entry = {
            "key": "m1",
            "kind": "message",
            "at": at,
            "body": {"message": {"role": "user", "content": "Add a cart"}},
        }
        post(f"/v1/sessions/{sid}/entries", entries=[entry])
        sha = hashlib.sha256(CONTENT).hexdigest()
        put = http.put(f"/v1/blobs/{sha}", content=CONTENT, headers={"content-type": "application/octet-stream"})
        assert put.status_code == 204
        process = {"pid": 7, "created": 1.5}
        watch = {"client": "test", "session": "known", "project": "/home/ana/webshop", "managed_by": "run"}
        watch_id = post("/v1/watches", "PUT", process=process, **watch)
        end = {"process": process, "observed_at": at, "kind": "killed", "signal": 9}
        decision = {"step": "restart", "why": "failure 1 of 5 that are allowed"}
        file = {"path": "a.txt", "sha256": sha, "size": len(CONTENT), "mode": 0o644}
        return {
            "sid": sid,
            "sha256": sha,
            "checkpoint_id": post(f"/v1/sessions/{sid}/checkpoints"),
            "snapshot_id": post(f"/v1/sessions/{sid}/snapshots", taken_at=at, files=[file]),
            "watch_id": watch_id,
            "incident_id": post(f"/v1/watches/{watch_id}/end", id="rep_1", end=end, decision=decision),
            "key_id": post("/v1/keys", name="known", scopes=["read"]),
        }


def test_every_answer_is_documented_and_nothing_breaks(
    served: Served, existing: dict[str, str], tmp_path: Path
) -> None:
    dictionaries = "\n".join(f'{name} = {{ values = ["{value}"] }}' for name, value in existing.items())
    parameters = "\n".join(f'"path.{name}" = {{ dictionary = "{name}", probability = 0.8 }}' for name in existing)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.format(dictionaries=dictionaries, parameters=parameters))
    key = f"authorization: {served.headers['authorization']}"
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(config),
        "run",
        f"{served.url}/openapi.json",
    ]
    options = ["--header", key, "--exclude-path", ENDLESS, "--max-examples", str(EXAMPLES), "--no-color"]
    ran = subprocess.run(
        [*command, *options, "--continue-on-failure", "--warnings", "off"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
