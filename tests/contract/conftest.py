from __future__ import annotations

from hypothesis import settings

settings.register_profile("shared", deadline=None)  # another process may hold the core for a while
settings.load_profile("shared")
