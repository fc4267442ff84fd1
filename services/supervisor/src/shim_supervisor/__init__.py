"""Keeps watches, restart policies and incidents: what ended, what was done about it, and by whom."""
