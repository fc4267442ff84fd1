"""Pure rules: what a log, a digest, a bundle, a signal and an interruption are."""
