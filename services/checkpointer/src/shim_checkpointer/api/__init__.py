"""The HTTP edge, one router per noun."""

from shim_checkpointer.api.routers import Services, routers

__all__ = ["Services", "routers"]
