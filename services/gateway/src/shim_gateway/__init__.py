"""One door: keys, limits, REST, live events."""
