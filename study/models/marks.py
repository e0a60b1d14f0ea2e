"""What nobody can guess, and what says nothing."""

import secrets


def new_code():
    """128 random bits: nobody guesses a session's link or a clip's address."""
    return secrets.token_urlsafe(16)


def new_slug():
    return secrets.token_hex(4)


def new_seed():
    return secrets.randbits(53)
