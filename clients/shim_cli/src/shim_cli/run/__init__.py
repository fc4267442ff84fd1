"""`shim run -- COMMAND...`: runs an assistant as if SHIM were not there, and goes on with its session if it crashes.

command     the `shim run` command, put together here
supervisor  from one end of the client to the next: decide, wait, settle what it left running, go on
client      one process of the client, on a terminal of its own or straight on ours
monitor     the process between, which leads the client's session and gives it job control
terminal    the person's terminal: raw while the client has it, as it was otherwise
exits       how `shim run` ends: as the client did
"""
