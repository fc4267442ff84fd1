"""Restart policies. The default one is always there, with the supervisor's own parameters until somebody sets it."""

from shim_common.contracts.supervision import Policy
from shim_common.kernel.errors import Conflict, NotFound, Unprocessable
from shim_supervisor.usecases.context import Context

DEFAULT = Policy()


class Policies:
    """What policies there are, and who changes them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Policy]:
        """Return every policy, the default one first."""
        async with self._context.store.look() as unit:
            kept = {policy.name: policy for policy in await unit.policies.all()}
        default = kept.pop(DEFAULT.name, DEFAULT)
        return [default, *kept.values()]

    async def put(self, name: str, command: Policy, actor: str) -> Policy:
        """Set a policy; the body need not repeat its name.

        Raises:
            Unprocessable: the body names another policy.
        """
        if "name" in command.model_fields_set and command.name != name:
            raise Unprocessable(f"the path says {name!r} and the body {command.name!r}", code="name_mismatch")
        policy = command.model_copy(update={"name": name})
        async with self._context.store.begin() as unit:
            await unit.policies.lock()
            before = await unit.policies.find(name)
            if policy != before:
                await unit.policies.put(policy)
                await unit.audit(
                    actor, "policy.set", name, self._context.clock.now(), _shown(before), policy.model_dump(mode="json")
                )
        return policy

    async def delete(self, name: str, actor: str) -> None:
        """Remove a policy. Watches that name it go by the default one from now on.

        Raises:
            NotFound: there is no such policy.
            Conflict: it is the default one.
        """
        if name == DEFAULT.name:
            raise Conflict("the default policy stays; PUT it to change it", code="default_policy")
        async with self._context.store.begin() as unit:
            await unit.policies.lock()
            before = await unit.policies.find(name)
            if before is None:
                raise NotFound(f"there is no policy {name!r}; GET /v1/policies lists them", code="policy_not_found")
            await unit.policies.delete(name)
            await unit.audit(actor, "policy.deleted", name, self._context.clock.now(), _shown(before), None)


def _shown(policy: Policy | None) -> dict[str, object] | None:
    return None if policy is None else policy.model_dump(mode="json")
