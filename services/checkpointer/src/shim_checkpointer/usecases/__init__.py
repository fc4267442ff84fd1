"""What the checkpointer does."""
