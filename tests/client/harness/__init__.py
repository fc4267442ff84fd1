"""What is needed to drive the real Claude Code client in a test, without an account and without leaving loopback.

`script` says what a model answers and `fake_api` serves it; `install` fetches a version of the client and `client`
runs it; `hook_sink` receives its hooks, which `settings` writes; `transcript` reads what it leaves behind.
"""
