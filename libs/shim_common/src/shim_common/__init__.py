"""What every SHIM service shares: contracts, ids, time, database, events, web."""
