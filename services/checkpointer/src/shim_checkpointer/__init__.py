"""Sessions, signals, risk, checkpoints, recovery."""
