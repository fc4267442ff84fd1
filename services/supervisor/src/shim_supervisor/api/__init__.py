"""The HTTP edge, one router per noun."""

from shim_supervisor.api.routers import Services, routers

__all__ = ["Services", "routers"]
