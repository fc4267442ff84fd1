"""The program that Claude Code's hooks run; it is copied out of here and imports nothing of SHIM."""
