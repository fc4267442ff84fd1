"""Checks 5 and 15: keys over the API, what is kept of them, and the log of who changed what."""

import hashlib
import hmac

import asyncpg
import httpx
import pytest
import pytest_asyncio

from shim_common.contracts.access import AuditPage, Scope
from shim_common.db.audit import chained
from shim_common.kernel.clock import ManualClock
from shim_gateway.settings import Settings

from .harness import Gateway, make_key, serving_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def dump(settings: Settings) -> "Dump":
    return Dump(settings.database_url)


class Dump:
    """Everything that the gateway keeps in Postgres."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def rows(self) -> list[dict[str, object]]:
        """Return every row of every table."""
        connection = await asyncpg.connect(self._url)
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'gateway'")
            return [
                dict(row) for table in tables for row in await connection.fetch(f"SELECT * FROM gateway.{table[0]}")
            ]
        finally:
            await connection.close()

    async def holds(self, secret: str) -> bool:
        """Whether the text is anywhere in it, plain or as hexadecimal."""
        text = b"\n".join(_bytes(value) for row in await self.rows() for value in row.values())
        return any(form in text for form in (secret.encode(), secret.encode().hex().encode()))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def newest(admin: httpx.AsyncClient, limit: int) -> AuditPage:
    return AuditPage.model_validate_json((await admin.get("/v1/audit", params={"limit": limit})).content)


async def test_05_a_secret_is_shown_once_and_kept_nowhere(admin: httpx.AsyncClient, dump: Dump) -> None:
    key = await make_key(admin, {Scope.READ})
    listed = (await admin.get("/v1/keys")).text
    assert key["id"] in listed
    assert key["secret"] not in listed
    assert await dump.holds(key["id"])
    assert not await dump.holds(key["secret"])
    assert not await dump.holds(key["secret"].rpartition("_")[2])


async def test_05_what_is_kept_is_a_keyed_hash(admin: httpx.AsyncClient, dump: Dump, settings: Settings) -> None:
    key = await make_key(admin, {Scope.READ})
    pepper = (settings.keys_dir / "pepper.secret").read_bytes()
    hashes = [row["hash"] for row in await dump.rows() if row.get("id") == key["id"]]
    assert hashes == [hmac.new(pepper, key["secret"].encode(), hashlib.sha256).digest()]


async def test_05_built_in_secrets_are_kept_in_their_files_alone(gateway: Gateway, dump: Dump) -> None:
    for name in ("admin", "agent", "ingest"):
        assert not await dump.holds(gateway.key(name))
    for name in ("pepper.secret", "internal.secret"):
        assert not await dump.holds((gateway.settings.keys_dir / name).read_bytes().hex())


async def test_05_a_built_in_key_that_is_rotated_lies_in_its_file(own_settings: Settings, clock: ManualClock) -> None:
    """Else the next start would let the old secret in again."""
    async with serving_gateway(own_settings, clock) as gateway:
        leaked = gateway.key("agent")
        async with gateway.client(gateway.key("admin")) as admin:
            keys = (await admin.get("/v1/keys")).json()["items"]
            (agent,) = (key["id"] for key in keys if key["name"] == "agent")
            made = (await admin.post(f"/v1/keys/{agent}/rotate")).json()
            again = (await admin.post(f"/v1/keys/{agent}/rotate")).json()
        assert gateway.key("agent") == again["secret"] != made["secret"]
    async with serving_gateway(own_settings, clock) as gateway:
        for secret, expected in ((leaked, 401), (made["secret"], 401), (again["secret"], 200)):
            async with gateway.client(secret) as client:
                assert (await client.get("/v1/version")).status_code == expected


async def test_05_a_built_in_key_that_is_revoked_stays_so(own_settings: Settings, clock: ManualClock) -> None:
    async with serving_gateway(own_settings, clock) as gateway, gateway.client(gateway.key("admin")) as admin:
        keys = (await admin.get("/v1/keys")).json()["items"]
        (agent,) = (key["id"] for key in keys if key["name"] == "agent")
        await admin.post(f"/v1/keys/{agent}/revoke")
    async with serving_gateway(own_settings, clock) as gateway, gateway.client(gateway.key("agent")) as client:
        assert (await client.get("/v1/version")).status_code == 401


async def test_05_a_key_that_is_over_is_not_rotated(admin: httpx.AsyncClient) -> None:
    key = await make_key(admin, {Scope.READ})
    await admin.post(f"/v1/keys/{key['id']}/revoke")
    answer = await admin.post(f"/v1/keys/{key['id']}/rotate")
    assert (answer.status_code, answer.json()["code"]) == (409, "key_over")


async def test_05_revoking_twice_changes_nothing(admin: httpx.AsyncClient, clock: ManualClock) -> None:
    key = await make_key(admin, {Scope.READ})
    first = (await admin.post(f"/v1/keys/{key['id']}/revoke")).json()
    clock.advance(1)
    rows = (await newest(admin, 1)).items
    assert (await admin.post(f"/v1/keys/{key['id']}/revoke")).json() == first
    assert (await newest(admin, 1)).items == rows


@pytest.mark.parametrize("what", ["rotate", "revoke"])
async def test_05_an_unknown_key_is_not_found(admin: httpx.AsyncClient, what: str) -> None:
    answer = await admin.post(f"/v1/keys/key_{'0' * 32}/{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")


@pytest.mark.parametrize(
    "command",
    [
        {"name": "x", "scopes": []},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["read"], "secret": "mine"},
        {"name": "x", "scopes": ["read"], "expires_at": "2026-11-20T12:00:00"},
        {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_05_a_key_is_asked_for_properly(admin: httpx.AsyncClient, command: dict[str, object]) -> None:
    assert (await admin.post("/v1/keys", json=command)).status_code == 422


async def test_05_keys_are_listed_in_pages(admin: httpx.AsyncClient) -> None:
    made = [(await make_key(admin, {Scope.READ}))["id"] for _ in range(3)]
    everything = [key["id"] for key in (await admin.get("/v1/keys", params={"limit": 1000})).json()["items"]]
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await admin.get("/v1/keys", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        listed += [key["id"] for key in page["items"]]
        cursor = page["next_cursor"]
    assert listed == everything
    assert set(made) <= set(listed)


async def test_15_each_change_has_a_row_with_before_and_after(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    key = await make_key(admin, {Scope.READ, Scope.INGEST})
    await admin.post(f"/v1/keys/{key['id']}/rotate")
    await admin.post(f"/v1/keys/{key['id']}/revoke")
    revoked, rotated, made = (await newest(admin, 3)).items
    assert [row.action for row in (made, rotated, revoked)] == ["key.made", "key.rotated", "key.revoked"]
    assert {row.subject for row in (made, rotated, revoked)} == {key["id"]}
    (ours,) = (
        item["id"] for item in (await admin.get("/v1/keys?limit=1000")).json()["items"] if item["name"] == "admin"
    )
    assert {row.actor for row in (made, rotated, revoked)} == {ours}
    assert made.before is None
    assert made.after == rotated.before
    assert rotated.after == revoked.before
    assert made.after is not None
    assert rotated.after is not None
    assert revoked.after is not None
    assert made.after["scopes"] == ["ingest", "read"]
    assert made.after["prefix"] != rotated.after["prefix"]
    assert (rotated.after["revoked_at"], revoked.after["revoked_at"]) != (None, None)


async def test_15_what_fails_leaves_no_row(admin: httpx.AsyncClient) -> None:
    before = (await newest(admin, 1)).items
    await admin.post(f"/v1/keys/key_{'0' * 32}/rotate")
    await admin.post("/v1/keys", json={"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"})
    assert (await newest(admin, 1)).items == before


async def test_15_the_rows_form_a_chain(admin: httpx.AsyncClient) -> None:
    for _ in range(3):
        await make_key(admin, {Scope.READ})
    rows = list(reversed((await newest(admin, 1000)).items))
    last = b""
    for row in rows:
        last = chained(last, row.at, row.actor, row.action, row.subject, row.before, row.after)
        assert last.hex() == row.hash
    changed = rows[1].model_copy(update={"actor": "somebody else"})
    assert chained(bytes.fromhex(rows[0].hash), changed.at, changed.actor, "", "", None, None).hex() != changed.hash


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gateway.audit SET actor = 'nobody'",
        "DELETE FROM gateway.audit",
        "TRUNCATE gateway.audit",
        "INSERT INTO gateway.audit (position, at, actor, action, subject, hash) VALUES (1, now(), '', '', '', '')",
    ],
)
async def test_15_rows_are_never_changed(admin: httpx.AsyncClient, settings: Settings, statement: str) -> None:
    before = (await admin.get("/v1/audit")).json()
    connection = await asyncpg.connect(settings.database_url)
    try:
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert (await admin.get("/v1/audit")).json() == before
