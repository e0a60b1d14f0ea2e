"""The GRU beside its own definition: how notes become voices and back, and what is drawn from which probabilities."""

import numpy as np
import pytest
import tensorflow as tf

from music import pianoroll
from music.pianoroll import BASS, DRUMS, GUITAR, PIANO, STRINGS
from training import networks, windows
from training.families import FAMILIES, Arrangement, Voices
from training.networks import gru_chain
from training.networks.gru_chain import HOLD, REST

SMALL = {"units": 12, "width": 8, "voices": 2}


@pytest.fixture
def configuration():
    return FAMILIES["gru-chain"].configuration(SMALL)


def window_of(*notes, n_steps=8):
    """One window of notes (onset, end, track, pitch) at four steps a beat."""
    table = np.zeros(len(notes), pianoroll.NOTE)
    for row, (onset, end, track, pitch) in enumerate(notes):
        table[row] = (onset, end, track, pitch, 80)
    return windows.ending(pianoroll.roll_of(table, n_steps, 4), n_steps)


def piano(window, configuration):
    """The classes of the piano's two voices, as two lists; pitches as MIDI numbers."""
    heads = [head for head, track in enumerate(Voices.of(configuration).tracks) if track == PIANO]
    classes = gru_chain.prepared(window, configuration)[0, :, heads, 0]
    names = {HOLD: "-", REST: "."}
    return [[names.get(one, int(one) + Voices.LOWEST) for one in voice] for voice in classes.tolist()]


def test_a_chord_is_told_from_above_and_then_held(configuration):
    window = window_of((0, 3, PIANO, 60), (0, 2, PIANO, 64), (4, 6, PIANO, 64))

    assert piano(window, configuration) == [
        [64, "-", ".", ".", 64, "-", ".", "."],
        [60, "-", "-", ".", ".", ".", ".", "."],
    ]


def test_without_a_free_voice_the_note_that_would_end_first_gives_way_and_a_chord_keeps_its_upper_notes(configuration):
    taken = window_of((0, 8, PIANO, 60), (0, 4, PIANO, 64), (2, 4, PIANO, 67))
    large = window_of((0, 2, PIANO, 60), (0, 2, PIANO, 64), (0, 2, PIANO, 67), n_steps=2)

    assert piano(taken, configuration) == [
        [64, "-", 67, "-", ".", ".", ".", "."],
        [60, "-", "-", "-", "-", "-", "-", "-"],
    ]
    assert piano(large, configuration) == [[67, "-"], [64, "-"]]


def test_repeated_notes_stay_apart_and_strokes_become_those_of_nine_drums(configuration):
    window = window_of((0, 2, BASS, 40), (2, 4, BASS, 40), (0, 1, DRUMS, 35), (0, 1, DRUMS, 44), (3, 4, DRUMS, 40))
    music = gru_chain.prepared(window, configuration)

    sounds, onsets = gru_chain.as_sound(music, Voices.of(configuration).tracks)

    assert np.argwhere(onsets[0]).tolist() == [
        [0, DRUMS, 36],
        [0, DRUMS, 42],
        [0, BASS, 40],
        [2, BASS, 40],
        [3, DRUMS, 38],
    ]
    assert sounds[0, :4, BASS, 40].all()
    assert sounds.sum() == 4 + 3


def test_the_arrangement_says_how_densely_each_track_plays_and_in_which_scale():
    chord = [(0, 4, GUITAR, pitch) for pitch in (62, 66, 69)]  # D major: three notes in two beats
    window = window_of((0, 1, DRUMS, 36), (0, 8, BASS, 49), *((step, step + 1, PIANO, 62) for step in range(8)), *chord)

    told = gru_chain.arrangement(window)[0].tolist()

    assert [told[track] for track in (DRUMS, BASS, GUITAR, PIANO, STRINGS)] == [1, 1, 3, 4, 0]
    assert told[5] == 2  # D, F sharp, A and C sharp are all in D major's scale, and in no other of the first two


def test_an_arrangement_is_told_at_every_step_and_kept_of_music_in_which_the_band_plays(configuration):
    band = [(0, 1, DRUMS, 36), (0, 4, BASS, 40), (0, 4, PIANO, 64)]
    together, without_bass = window_of(*band), window_of(band[0], band[2])
    music = np.concatenate([gru_chain.prepared(one, configuration) for one in (together, without_bass)])

    told = gru_chain.calibration(None, configuration, music, None)

    assert told == {"arrangements": gru_chain.arrangement(together).tolist()}
    assert (music[0, :, -6:, 0] == music[0, :1, -6:, 0]).all()
    assert gru_chain.calibration(None, configuration | {"arrangement": False}, music, None) == {}


def test_a_clip_keeps_to_an_arrangement_of_its_own(loud_network, configuration):
    """The first draw of a clip picks it: two clips that differ in nothing else are told different ones."""
    card = {"configuration": configuration, "steps_per_beat": 4}
    card["calibration"] = {"arrangements": [[5, 3, 0, 2, 1, 7], [0, 1, 2, 3, 4, 11]]}
    settings = FAMILIES["gru-chain"].sampling_settings()
    sampler = gru_chain.sampler(loud_network, card, settings)
    draws = np.tile(np.random.default_rng(2).random(sampler.draws(16), np.float32), (3, 1, 1))
    draws[:, 0, 0] = 0.2, 0.3, 0.9

    sounds, _ = sampler.generate(draws, networks.Wishes())

    assert (sounds[0] == sounds[1]).all()
    assert (sounds[0] != sounds[2]).any()


@pytest.mark.parametrize(("pitch", "expected"), [(24, 24), (23, 35), (0, 24), (95, 95), (96, 84), (127, 91), (60, 60)])
def test_pitches_beyond_a_voice_come_back_by_octaves(pitch, expected):
    assert gru_chain.in_range(np.array([pitch])).tolist() == [expected]


def test_real_music_in_four_voices_keeps_nearly_all_that_sounds(corpus):
    configuration = FAMILIES["gru-chain"].configuration({"voices": 4})
    drawn = windows.draw_on_grid(corpus, 4, [0, 1, 2], 40, 96, np.random.default_rng(0))

    sounds, _ = gru_chain.as_sound(gru_chain.prepared(drawn, configuration), Voices.of(configuration).tracks)

    pitched = [track for track in range(5) if track != DRUMS]
    expected = windows.sounding(drawn)[:, :, pitched] > 0
    kept = (sounds[:, :, pitched] & expected).sum() / expected.sum()
    assert kept > 0.9
    assert (sounds[:, :, pitched] & ~expected).sum() < 0.1 * expected.sum()


@pytest.fixture
def loud_network(configuration):
    networks.set_up(3)
    model = networks.build("gru-chain", configuration)
    rng = np.random.default_rng(1)
    for variable in model.weights:  # as loud as a trained one, so that every gate matters
        variable.assign(rng.normal(0, 0.5, variable.shape))
    return model


@pytest.mark.parametrize("configuration", [FAMILIES["gru-chain"].configuration(SMALL | {"voices": 1})])
def test_the_graph_draws_from_the_networks_own_probabilities(loud_network, configuration):
    """What the graph drew step by step is put to the Keras model at once: each draw must lie in its class' share."""
    voices = Voices.of(configuration)
    masks = gru_chain._masks(voices, [9, 4, 4, 1, 4])
    generate = gru_chain._compiled(loud_network, configuration, masks, min_steps=0)
    arrangements = np.array([[5, 3, 0, 2, 1, 7], [0, 1, 2, 3, 4, 11]], np.int32)
    draws = np.random.default_rng(5).random((2, gru_chain.TARGET, len(voices.tracks))).astype(np.float32)
    given = np.full((gru_chain.TARGET, len(voices.tracks), 2), gru_chain.FREE, np.int32)

    drawn = generate(draws, given, arrangements, tf.constant(1.0), 1.0).numpy()

    silence = np.array([[0, 0] if track == DRUMS else [REST, 0] for track in voices.tracks])
    music = np.concatenate([np.tile(silence, (2, gru_chain.CONTEXT, 1, 1)), drawn], axis=1)
    features = gru_chain._features(music, voices.tracks)
    frames = tf.concat(features, axis=-1)
    past = [frames[:, 32 - ago : 96 - ago] for ago in (1, 16, 32)]
    told = [np.eye(n)[arrangements[:, i]] for i, n in enumerate(Arrangement.SIZES)]
    told = np.repeat(np.concatenate(told, axis=1)[:, None], gru_chain.TARGET, axis=1)
    bar = tf.constant(np.concatenate([np.tile(np.eye(16), (2, 4, 1)), told], axis=-1), tf.float32)
    answers = loud_network([*past, bar, *(feature[:, 32:] for feature in features[:-1])])
    for head, logits in enumerate(answers):
        logits = logits.numpy().astype(float)
        if voices.tracks[head] != DRUMS:  # nothing is held that does not sound
            logits[..., HOLD] = np.where(music[:, 31:-1, head, 1] > 0, logits[..., HOLD], -1e9)
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        chosen = drawn[..., head, :1]
        above = np.take_along_axis(share.cumsum(axis=-1), chosen, axis=-1)[..., 0]
        below = above - np.take_along_axis(share, chosen, axis=-1)[..., 0]
        assert (below - 1e-4 <= draws[..., head]).all()
        assert (draws[..., head] <= above + 1e-4).all()


def test_the_loss_is_the_surprise_at_what_follows(loud_network, configuration, corpus):
    drawn = windows.draw_on_grid(corpus, 4, [0], 3, 96, np.random.default_rng(0))
    music = gru_chain.prepared(drawn, configuration)

    surprises = gru_chain._surprises(loud_network, configuration, music).numpy()
    changed = music.copy()
    last = len(Voices.of(configuration).tracks) - 1
    changed[:, -1, last, 0] = (music[:, -1, last, 0] + 1) % REST
    other = gru_chain._surprises(loud_network, configuration, changed).numpy()

    differs = np.argwhere((surprises != other).any(axis=0)).tolist()
    assert differs == [[63, last]]  # the last answer of all is heard by no other
    assert float(gru_chain.loss(loud_network, configuration, music, None)) == pytest.approx(surprises.mean(), rel=1e-5)
