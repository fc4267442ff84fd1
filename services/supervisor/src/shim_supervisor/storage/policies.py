"""Restart policies that somebody set."""

from shim_common.contracts.supervision import Policy
from shim_common.db.database import Connection


class PostgresPolicies:
    """Policies in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self) -> list[Policy]:
        """Return every policy, by name."""
        rows = await self._connection.fetch('SELECT body FROM policy ORDER BY name COLLATE "C"')
        return [Policy.model_validate_json(row["body"]) for row in rows]

    async def lock(self) -> None:
        """Wait until nobody else changes policies, and keep others waiting; they can still be read."""
        await self._connection.execute("LOCK TABLE policy IN SHARE ROW EXCLUSIVE MODE")

    async def find(self, name: str) -> Policy | None:
        """Return the policy with this name."""
        body = await self._connection.fetchval("SELECT body FROM policy WHERE name = $1", name)
        return None if body is None else Policy.model_validate_json(body)

    async def put(self, policy: Policy) -> None:
        """Store a policy under its name."""
        await self._connection.execute(
            "INSERT INTO policy VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            policy.name,
            policy.model_dump_json().encode(),
        )

    async def delete(self, name: str) -> None:
        """Remove a policy."""
        await self._connection.execute("DELETE FROM policy WHERE name = $1", name)
