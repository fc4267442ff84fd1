"""Brings clients back that ended unmeant: what the agent and `shim run` decide, keep on disk and report.

The rules are in `shim_supervision`, the history of all machines in the service. Here is the part between them that
must work without either the network or the other: every decision is made where the client runs, by its one owner.
"""
