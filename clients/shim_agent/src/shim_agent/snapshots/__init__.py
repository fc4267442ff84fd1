"""Takes a project's files as they are, off the path of any request."""
