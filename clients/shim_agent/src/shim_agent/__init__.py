"""What runs on the user's machine: follows transcripts, files and processes."""
