"""Connecting assistants: their hooks and their MCP registration, in files that belong to the user."""
