"""Payments. Audited: changes need a second pair of eyes."""
