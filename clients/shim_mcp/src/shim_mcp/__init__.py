"""The MCP server over the REST API."""
