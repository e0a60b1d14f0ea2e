from tests.listeners import listener_of, make_study

__all__ = ["listener_of", "make_study"]
