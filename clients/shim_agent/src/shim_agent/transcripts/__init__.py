"""Follows the transcripts that a client writes, and keeps the server's copy of their entries complete."""
