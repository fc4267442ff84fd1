"""`shim-mcp` serves stdio; `shim-mcp serve` serves streamable HTTP on SHIM_MCP_URL."""

import argparse

from shim_mcp import http, stdio


def main() -> None:
    """Serve the transport that the command line names."""
    parser = argparse.ArgumentParser(prog="shim-mcp", description="SHIM's MCP server.")
    parser.add_argument(
        "transport",
        nargs="?",
        choices=["stdio", "serve"],
        default="stdio",
        help="stdio (default), or serve: streamable HTTP on SHIM_MCP_URL",
    )
    if parser.parse_args().transport == "serve":
        http.main()
    else:
        stdio.main()


if __name__ == "__main__":
    main()
