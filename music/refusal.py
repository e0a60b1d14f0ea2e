"""Why a file is not taken in, and what text out of a file may be shown."""

import re
import unicodedata

LONGEST_TEXT = 200


class Refusal(ValueError):
    """One sentence for the person who brought the file; `problem` says of what class it is, as in "zip.ratio"."""

    def __init__(self, sentence, problem="file.unreadable"):
        super().__init__(sentence)
        self.problem = problem


def is_plain(text, longest=LONGEST_TEXT):
    """Say whether text from a file can be shown anywhere: short, no markup, nothing that hides or turns other text.

    Categories C* are control, direction and unassigned characters.
    """
    short = isinstance(text, str) and len(text) <= longest
    return short and not re.search("[<>]", text) and all(unicodedata.category(letter)[0] != "C" for letter in text)


def shown_name(name):
    """Return a file's name for a page or a sentence: nothing that cannot be printed, no markup, and short."""
    shown = "".join(letter for letter in str(name) if letter.isprintable() and letter not in "<>")
    return shown[:LONGEST_TEXT] or "The file"
