"""`shim usage`: tokens and their cost, read from transcripts; nothing of SHIM needs to run."""
