"""Brings a snapshot's files back, byte for byte: into a folder of one's choice, or in place after a backup.

    async with Gateway(url, key_file) as gateway:
        manifest = await gateway.snapshot_files(snapshot_id)
        plan = plan_restore(manifest, folder, in_place=True)     # writes nothing; `plan.changes` can be shown
        done = await restore(plan, gateway, home, clock, session=session_id)

Nothing is written outside the folder, nor in a `.git`. Every content is fetched and checked before the first
file is touched, and every file is read back at the end.
"""

from shim_agent.restore.apply import Restored, restore
from shim_agent.restore.plan import Action, Change, RestorePlan, plan_restore
from shim_agent.restore.tree import RestoreBlocked

__all__ = ["Action", "Change", "RestoreBlocked", "RestorePlan", "Restored", "plan_restore", "restore"]
