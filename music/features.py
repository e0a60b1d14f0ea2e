"""What a set of clips is compared by: the features of Yang and Lerch (2020), and one vector of 48 numbers a clip.

Conventions: drums have no pitch and are left out wherever pitch or length counts. Times are beats, so that tempo does not
matter. No roll is changed.
"""

import numpy as np

from music import harmony
from music.harmony import CLASSES
from music.spans import BAR_SIXTEENTHS, PITCHED, sixteenth

# The lengths that a note is counted among, whichever is nearest, in beats: whole to sixteenth, dotted, triplets.
LENGTHS = np.array([4, 2, 1, 0.5, 0.25, 3, 1.5, 0.75, 0.375, 4 / 3, 2 / 3, 1 / 3])
SCALARS = (
    "pitch_count",
    "pitch_range",
    "notes_per_beat",
    "inter_onset_beats",
    "interval_semitones",
    "polyphony",
    "dissonance",
    "scale_consistency",
)
N_SHARES = CLASSES + len(LENGTHS) + BAR_SIXTEENTHS
N_VECTOR = N_SHARES + len(SCALARS)
# The least that a feature is taken to vary by: one clip with one odd note must not make a unit of it.
LEAST_SCALE = np.concatenate([np.full(N_SHARES, 0.01), [1, 1, 0.1, 0.01, 0.1, 0.1, 0.01, 0.01]])


def features(roll, tracks=PITCHED):
    """Return {name: float, None or array} of the pitched notes of these tracks, or None if there is none.

    pitch_count, pitch_range (semitones), note_count
    pitch_classes (12,): shares of notes; transitions (144,): shares of steps from one pitch class to the next
    inter_onset_beats: mean time from one instant at which notes begin to the next; None of a single instant
    lengths (12,): shares of notes by the nearest of LENGTHS
    interval_semitones: mean size of a step from one note of a track to its next; None if no track has two

    The notes of one instant follow one another upwards.
    """
    notes = roll.notes[np.isin(roll.notes["track"], [track for track in tracks if track in PITCHED])]
    if not len(notes):
        return None
    pitch = notes["pitch"].astype(np.int64)
    instants = np.unique(notes["onset"])
    before, after = _neighbours(notes)
    return {
        "pitch_count": float(len(np.unique(pitch))),
        "pitch_range": float(np.ptp(pitch)),
        "note_count": float(len(notes)),
        "pitch_classes": _shares(pitch % CLASSES, CLASSES),
        "transitions": _shares(before % CLASSES * CLASSES + after % CLASSES, CLASSES**2),
        "inter_onset_beats": harmony.mean(np.diff(instants) / roll.steps_per_beat),
        "lengths": _shares(_lengths(notes, roll.steps_per_beat), len(LENGTHS)),
        "interval_semitones": harmony.mean(np.abs(after - before)),
    }


def _neighbours(notes):
    """Return (pitch before, pitch after), int64 arrays, of each two notes that follow one another in a track."""
    notes = notes[np.lexsort((notes["pitch"], notes["onset"], notes["track"]))]
    pitch = notes["pitch"].astype(np.int64)
    same = notes["track"][1:] == notes["track"][:-1]
    return pitch[:-1][same], pitch[1:][same]


def _lengths(notes, steps_per_beat):
    beats = (notes["end"] - notes["onset"]) / steps_per_beat
    return np.abs(beats[:, None] - LENGTHS).argmin(axis=1)


def _shares(values, n):
    """Return how large a share of the values each of 0 to n - 1 is, (n,); zeros where there is no value."""
    return np.bincount(values, minlength=n) / max(len(values), 1)


def vector(roll):
    """Return the clip as 48 numbers, float64 (48,), or None if it holds no pitched note.

    12 shares of pitch classes, 12 of note lengths, 16 of the sixteenth of the bar on which notes, drums included, begin,
    and the figures of SCALARS; one of those that has no answer (the dissonance of a single voice) is 0.
    """
    found = features(roll)
    if found is None:
        return None
    found["notes_per_beat"] = found["note_count"] * roll.steps_per_beat / roll.n_steps
    found["polyphony"] = harmony.polyphony(roll)
    found["dissonance"] = harmony.dissonance(roll)
    found["scale_consistency"] = harmony.scale_consistency(roll)
    places = _shares(sixteenth(roll, roll.notes["onset"]) % BAR_SIXTEENTHS, BAR_SIXTEENTHS)
    return np.concatenate([found["pitch_classes"], found["lengths"], places, [found[name] or 0.0 for name in SCALARS]])


def standardised(vectors, reference):
    """Return the vectors less the reference's mean, in units of its standard deviation, (clip, 48).

    A feature that the reference hardly varies in counts in units of LEAST_SCALE, so that none is divided by nothing.
    """
    reference = np.asarray(reference)
    return (np.asarray(vectors) - reference.mean(axis=0)) / np.maximum(reference.std(axis=0), LEAST_SCALE)
