"""From a roll to sound, by one synthesiser for everything that is compared.

Whatever a study compares, real music included, must come from the same synthesiser and the same SoundFont, or the study
compares synthesisers. RENDERER is what a clip's card says about them.
"""

import hashlib
import io
from importlib import metadata, resources

import midirenderer
import numpy as np
import soundfile

from music import midi
from music.audio import N_CHANNELS, SAMPLE_RATE

# General MIDI in 6 MB; pretty_midi ships it, so nothing needs to be installed beside the packages.
_SOUNDFONT = resources.files("pretty_midi").joinpath("TimGM6mb.sf2")

RENDERER = {
    "name": "midirenderer",
    "version": metadata.version("midirenderer"),
    "soundfont": _SOUNDFONT.name,
    "soundfont_sha256": hashlib.sha256(_SOUNDFONT.read_bytes()).hexdigest(),
}


def render(roll):
    """Return the sound of the roll: float32 (samples, 2) at 48 kHz, as long as the roll to the sample.

    What still rings when the roll ends is cut. The same roll gives the same samples.
    """
    n_samples = round(roll.seconds * SAMPLE_RATE)
    sound = np.zeros((n_samples, N_CHANNELS), np.float32)
    if len(roll.notes) == 0:
        return sound
    wav = midirenderer.render_wave_from(_SOUNDFONT.read_bytes(), midi.write(roll))
    played, rate = soundfile.read(io.BytesIO(wav), dtype="float32", always_2d=True, frames=n_samples)
    if rate != SAMPLE_RATE or played.shape[1] != N_CHANNELS:
        raise RuntimeError(f"The synthesiser gave {played.shape[1]} channels at {rate} Hz instead of 2 at 48,000.")
    sound[: len(played)] = played
    return sound
