"""The shim command."""
