"""The HTTP edge: the door itself, what is passed on, and the gateway's own routes."""
