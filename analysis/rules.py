"""The rules that flag a session, each with what it says; by itself, so that a form can offer them without pandas."""

RULES = {
    "no_spread": "All ratings are equal.",
    "low_correlation": "The ratings hardly follow those of the other sessions (correlation on the same stimuli).",
    "far_from_others": "The ratings lie unusually far from those of the others (root mean square, robust z).",
    "too_fast": "Half of the answers came faster than the music can be heard (seconds).",
    "few_values": "Only so many different ratings were used.",
    "unusual_mean": "The session's mean is unusual (robust z).",
    "reference_below": "The real music was rated below the generated (difference of means).",
    "inconsistent": "The same clip was rated differently when it came again (mean distance in points).",
    "reference_missed": "The hidden reference was rated below 90 too often (share; BS.1534-3).",
    "anchor_missed": "The anchor was rated above 90 too often (share; BS.1534-3).",
}

# Together they found all bad sessions of the simulated studies, without a false alarm.
RECOMMENDED = ("no_spread", "low_correlation", "far_from_others", "too_fast")
# On a scale of 0 to 100, by conditions that are named: these are asked by themselves, not chosen.
OF_MUSHRA = ("reference_missed", "anchor_missed")
