"""The stack as a service of the user's own service manager: a systemd user unit, or a launchd agent on macOS."""
