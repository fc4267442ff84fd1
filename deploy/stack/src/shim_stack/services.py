"""The services in one process: `python -m shim_stack.services`. Each is the application it is with `--split`."""

import uvloop

from shim_checkpointer.app import create_app as create_checkpointer
from shim_checkpointer.settings import Settings as CheckpointerSettings
from shim_common.observability.logs import configure
from shim_common.web.serve import run_all
from shim_mcp.http import create_app as create_mcp
from shim_mcp.settings import Settings as McpSettings
from shim_stack.errors import BadConfiguration
from shim_supervisor.app import create_app as create_supervisor
from shim_supervisor.settings import Settings as SupervisorSettings


def main() -> None:
    """Serve until told to stop. Raises BadConfiguration where SHIM_MCP_URL is missing."""
    configure("services")
    checkpointer, supervisor, mcp = CheckpointerSettings(), SupervisorSettings(), McpSettings()
    if mcp.mcp_url is None:
        raise BadConfiguration("SHIM_MCP_URL is not set; the runner sets it.")
    apps = {
        checkpointer.checkpointer_url: create_checkpointer(checkpointer),
        supervisor.supervisor_url: create_supervisor(supervisor),
        mcp.mcp_url: create_mcp(mcp),
    }
    uvloop.run(run_all(apps))


if __name__ == "__main__":
    main()
