"""Starts the whole stack on one machine: embedded Postgres and Valkey, the services, the agent."""
