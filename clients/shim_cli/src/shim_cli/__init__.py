"""The `shim` command: connects assistants, shows and restores sessions, replays recordings."""
