"""Reading the event stream."""
