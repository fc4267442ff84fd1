"""Knows the client processes and what they started, sees them end, and says so. Never signals anything."""
