"""All figures of one clip under stable names, and the twelve that a clip is summed up by.

No figure is better when it is higher: what counts is whether it lies where real music of the same grid and length lies.
The figures follow the sources that harmony and rhythm name; on the same notes they agree with muspy where it
measures the same.
"""

from music import harmony, rhythm
from music.pianoroll import TRACKS

# In the order in which they are shown: what each says, and the short name that the literature has for it.
HEADLINE = {
    "dissonance": "share of seconds, sevenths and tritones among the intervals that sound when a note begins",
    "on_beat": "share of notes that begin on a beat",
    "short_notes": "share of pitched notes shorter than a sixteenth",
    "density_drift": "notes in the last quarter for each in the first",
    "pitch_class_entropy": "how evenly the twelve pitch classes are used, in bits (PCE)",
    "scale_consistency": "share of notes in the scale that most are in (SC)",
    "groove_similarity": "how alike the rhythms of all bars are (GS)",
    "empty_bars": "share of bars in which a track is silent, mean of the tracks that play (EB)",
    "pitch_classes": "pitch classes a track uses in a bar, mean of the pitched tracks that play (UPC)",
    "tonal_distance": "how far two tracks are from playing the same harmony, mean of the pairs that play together (TD)",
    "polyphony": "pitches that sound at once",
    "self_repeat": "how much of a bar was heard in the eight bars before it",
}


def measure(roll):
    """Return {name: figure} of all figures of a roll, a float or None each.

    Names with a dot belong to a track or a pair of tracks (`empty_bars.drums`, `tonal_distance.guitar-bass`); those
    of HEADLINE stand for the whole clip. Where such a figure is one of tracks, it is the mean of the tracks that play,
    every track counting alike; of pairs, the mean of those that sound together in some beat.
    """
    found = _of_tracks(roll) | _of_pairs(roll)
    duple, triple = rhythm.drum_pattern(roll)
    found |= {
        "drum_pattern.duple": duple,
        "drum_pattern.triple": triple,
        "dissonance": harmony.dissonance(roll),
        "polyphony": harmony.polyphony(roll),
        "pitch_class_entropy": harmony.pitch_class_entropy(roll),
        "pitch_class_entropy.1-bar": harmony.window_entropy(roll, 1),
        "pitch_class_entropy.4-bars": harmony.window_entropy(roll, 4),
        "scale_consistency": harmony.scale_consistency(roll),
        "on_beat": rhythm.on_grid(roll, 1),
        "on_eighth": rhythm.on_grid(roll, 2),
        "on_sixteenth": rhythm.on_grid(roll, 4),
        "short_notes": rhythm.short_notes(roll),
        "notes_per_beat": rhythm.notes_per_beat(roll),
        "density_drift": rhythm.density_drift(roll),
        "groove_consistency": rhythm.groove_consistency(roll),
        "groove_similarity": rhythm.groove_similarity(roll),
        "self_repeat": rhythm.self_repeat(roll),
    }
    return found


def _of_tracks(roll):
    plays = {TRACKS[track] for track in roll.notes["track"].tolist()}
    figures = {
        "empty_bars": rhythm.empty_bars(roll),
        "pitch_classes": harmony.pitch_classes(roll),
        "qualified_notes": rhythm.qualified_notes(roll),
        "polyphonic_steps": harmony.polyphonic_steps(roll),
    }
    found = {}
    for name, of_track in figures.items():
        found[name] = _mean([value for track, value in of_track.items() if track in plays])
        found |= {f"{name}.{track.lower()}": value for track, value in of_track.items()}
    return found


def _of_pairs(roll):
    found = {}
    for (a, b), (distance, skipped) in harmony.tonal_distances(roll).items():
        pair = f"{a}-{b}".lower()
        found[f"tonal_distance.{pair}"], found[f"tonal_distance_skipped.{pair}"] = distance, skipped
    distances = [value for name, value in found.items() if name.startswith("tonal_distance.")]
    return {"tonal_distance": _mean(distances)} | found


def _mean(values):
    return harmony.mean([value for value in values if value is not None])


def headline(measured):
    """Return the twelve figures of HEADLINE out of what `measure` found, in their order."""
    return {name: measured[name] for name in HEADLINE}
