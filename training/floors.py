"""Music that no model made, for every figure and study to be held against: tracks of real pieces that do not belong
together, and cells that sound as often as in real music but know nothing of one another.

Both come from pieces that nothing was trained on.
"""

import numpy as np

from music import pianoroll
from music.pianoroll import BEATS_PER_BAR, DRUMS, N_PITCHES, N_TRACKS
from training.real_music import NoBand

MIN_PIECES = N_TRACKS  # so that no two tracks of a clip are of one piece


def shuffled_tracks(corpus, n_clips, seconds, seed):
    """Return n_clips Rolls, each of five tracks of five held-out pieces, all from the bar where their band comes in.

    Grid, tempo and length are those of the piece that the drums are of. A track that its piece does not have is silent,
    as in real music, and so is the end of one whose piece is over.

    Raises NoBand if fewer than five held-out pieces have so many seconds.
    """
    pieces = _with_opening(corpus, seconds)
    if len(pieces) < MIN_PIECES:
        raise NoBand(
            f"{corpus.folder} has {len(pieces)} held-out pieces of {seconds:g} s, too few to mix the tracks of 5."
        )
    rng = np.random.default_rng(seed)
    return [_mixed(corpus, rng.choice(pieces, N_TRACKS, replace=False), seconds) for _ in range(n_clips)]


def _with_opening(corpus, seconds):
    pieces = []
    for piece in corpus.held_out():
        try:
            pianoroll.opening(corpus.roll(piece), seconds)
        except ValueError:
            continue
        pieces.append(piece)
    return pieces


def _mixed(corpus, pieces, seconds):
    frame = pianoroll.opening(corpus.roll(pieces[DRUMS]), seconds)
    parts = []
    for track, piece in enumerate(pieces):
        roll = corpus.roll(piece)
        start = pianoroll.entrance(roll)
        part = pianoroll.excerpt(roll, start, min(start + frame.n_steps, roll.n_steps))
        parts.append(part.notes[part.notes["track"] == track])
    return pianoroll.roll_of(np.concatenate(parts), frame.n_steps, frame.steps_per_beat, frame.tempo_bpm)


def marginals(corpus, n_clips, seconds, seed):
    """Return n_clips Rolls in which each cell sounds by chance alone, as often as that pitch of that track does.

    The chance is the share of steps at which it sounds in the training pieces (of drums, is struck); cells that follow one
    another are one note. Grid and tempo are the corpus', whole bars as many as fill the seconds.
    """
    chance = _chance(corpus)  # (track, pitch)
    tempo = corpus.card["statistics"]["tempo_bpm"]
    beats = -(-seconds * tempo / 60 // BEATS_PER_BAR) * BEATS_PER_BAR
    n_steps = int(beats) * corpus.steps_per_beat
    velocity = np.rint(corpus.card["statistics"]["velocity"]).clip(1, 127).astype(np.uint8)
    rolls = []
    for rng in np.random.default_rng(seed).spawn(n_clips):
        sounds = rng.random((N_TRACKS, n_steps, N_PITCHES), np.float32) < chance[:, None]
        whole = pianoroll.from_dense(sounds * velocity[:, None, None], None, corpus.steps_per_beat, tempo)
        rolls.append(pianoroll.excerpt(whole, 0, pianoroll.steps_within(whole, seconds)))
    return rolls


def _chance(corpus):
    cells, n_steps = np.zeros(N_TRACKS * N_PITCHES), 0
    for piece in corpus.of_split("train"):
        notes = corpus.roll(piece).notes
        lengths = np.where(notes["track"] == DRUMS, 1, notes["end"] - notes["onset"])
        cells += np.bincount(notes["track"].astype(int) * N_PITCHES + notes["pitch"], lengths, len(cells))
        n_steps += corpus.pieces[piece].n_steps
    return (cells / n_steps).reshape(N_TRACKS, N_PITCHES)
