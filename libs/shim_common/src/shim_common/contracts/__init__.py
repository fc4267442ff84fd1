"""What travels between services: frozen models, one file per producer. No behaviour, no I/O."""
