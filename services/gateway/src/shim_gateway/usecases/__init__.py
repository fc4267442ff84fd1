"""What the gateway does with keys."""
