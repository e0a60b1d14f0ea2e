"""Property tests judge what is true, not how fast this machine is just now."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
