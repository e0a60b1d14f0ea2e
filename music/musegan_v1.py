"""The figures as the first MuseGAN computed them: to compare with its tables, and for nothing else.

Its code folds pitches into twelve groups of seven neighbouring semitones and calls them pitch classes, so that its UPC and
TD hardly tell a harmony from another; harmony.py has both as they are defined. It asks two steps of a
note where the paper says three, and calls a step of two pitches polyphonic where the paper says more than two.

Conventions: 24 steps a beat; the 84 pitches from 24 to 107; every whole bar is judged alone, notes cut at its edges, and
figures are means over bars. No roll is changed.
"""

import numpy as np

from music.harmony import CLASSES, PAIRS, TONAL_SPACE, mean
from music.pianoroll import BEATS_PER_BAR, DRUMS, LPD_STEPS_PER_BEAT, N_TRACKS, TRACKS, dense, excerpt, refine
from music.spans import bar_steps, n_bars

LOWEST, N_PITCHES = 24, 84
LEAST_STEPS = 2
MANY = 2
# How well a drum stroke fits the pattern, by its step within a quarter of a beat; the pattern may begin at any of the six.
DRUM_WEIGHTS = (1.0, 0.3, 0.0, 0.0, 0.0, 0.3)


def measure(roll):
    """Return {name: figure} of EB, UPC, QN, PP (a track), DP and TD (a pair), a float or None each.

    None: of a track, if it sounds in no bar (EB: if there is no bar); of a pair, if there is no bar in each of whose
    beats both sound.

    Raises ValueError if the roll's steps_per_beat does not divide 24.
    """
    bars = _bars(roll)
    found = {}
    for track, name in enumerate(name.lower() for name in TRACKS):
        playing = [bar[track] for bar in bars if bar[track].any()]
        found[f"EB.{name}"] = 1 - len(playing) / len(bars) if len(bars) else None
        if track == DRUMS:
            found["DP"] = mean([_drum_pattern(bar) for bar in playing])
            continue
        found[f"UPC.{name}"] = mean([np.count_nonzero(_chroma(bar).any(axis=0)) for bar in playing])
        found[f"QN.{name}"] = mean([_qualified(bar) for bar in playing])
        found[f"PP.{name}"] = mean([(bar.sum(axis=1) >= MANY).mean() for bar in playing])
    return found | _pairs(bars)


def _bars(roll):
    """Return bool (bar, track 5, step 96, pitch 84)."""
    roll = refine(roll, LPD_STEPS_PER_BEAT)
    steps = bar_steps(roll)
    whole = excerpt(roll, 0, n_bars(roll) * steps)
    sounds = dense(whole)[0][:, :, LOWEST : LOWEST + N_PITCHES] > 0
    return sounds.reshape(N_TRACKS, n_bars(roll), steps, N_PITCHES).transpose(1, 0, 2, 3)


def _chroma(bar):
    return bar.reshape(*bar.shape[:-1], CLASSES, N_PITCHES // CLASSES).sum(axis=-1)


def _qualified(bar):
    """Return the share of a bar's runs of sounding steps that are long enough."""
    silence = np.zeros((1, bar.shape[1]), np.int8)
    edges = np.diff(np.concatenate([silence, bar.astype(np.int8), silence]), axis=0).T  # (pitch, edge)
    begin, end = (np.nonzero(edges == sign)[1] for sign in (1, -1))
    return float((end - begin >= LEAST_STEPS).mean())


def _drum_pattern(bar):
    strokes = np.diff(bar.astype(np.int8), axis=0, prepend=0).clip(0).sum(axis=1)  # (step,)
    weights = np.resize(DRUM_WEIGHTS, len(strokes))
    return max(float(np.roll(weights, shift) @ strokes) for shift in range(len(DRUM_WEIGHTS))) / strokes.sum()


def _pairs(bars):
    beats = _chroma(bars).reshape(len(bars), N_TRACKS, BEATS_PER_BAR, LPD_STEPS_PER_BEAT, CLASSES).sum(axis=3)
    total = beats.sum(axis=3, keepdims=True)
    sounds = total.all(axis=(2, 3))  # (bar, track): in all four beats
    centroid = beats / np.where(total > 0, total, 1) @ TONAL_SPACE.T
    found = {}
    for a, b in PAIRS:
        both = sounds[:, a] & sounds[:, b]
        distances = np.linalg.norm(centroid[both, a] - centroid[both, b], axis=2).mean(axis=1)
        found[f"TD.{TRACKS[a].lower()}-{TRACKS[b].lower()}"] = mean(distances)
    return found
