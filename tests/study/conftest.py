from tests.listeners import listener_of, make_study
from tests.small_disk import small_disk
from tests.studies import draft, make_draft, paper_study

__all__ = ["draft", "listener_of", "make_draft", "make_study", "paper_study", "small_disk"]
