"""Each network beside its own definition, computed the slow and plain way."""

import numpy as np
import pytest
import tensorflow as tf

from music.pianoroll import BASS, DRUMS, N_PITCHES, N_TRACKS
from training import networks, windows
from training.families import FAMILIES, order_of
from training.networks import cnn, convolution, rnn

NOTHING_GIVEN = np.full((10, N_TRACKS), rnn.FREE, np.int32)
CHAIN = order_of({})
PLACE = convolution.places(CHAIN)


@pytest.fixture
def small_rnn():
    networks.set_up(3)
    model = networks.build("rnn", {"units": 12, "rest": True})
    rng = np.random.default_rng(1)
    for variable in model.weights:  # as loud as a trained one, so that every gate matters
        variable.assign(rng.normal(0, 0.7, variable.shape))
    return model


def rnn_answers(model, chosen):
    """The logits of the Keras model for each of ten steps, when these classes were chosen and silence came before."""
    frames = np.zeros((1, 10, N_TRACKS, N_PITCHES + 1), np.float32)
    before = np.concatenate([np.full((1, N_TRACKS), N_PITCHES), chosen[:9]])
    np.put_along_axis(frames[0], before[..., None], 1.0, axis=-1)
    return model(frames.reshape(1, 10, -1)).numpy()[0]


def test_the_rnns_graph_draws_from_the_networks_own_probabilities(small_rnn):
    generate = rnn._compiled(*small_rnn.layers[1].cell.weights, *small_rnn.layers[2].weights, True, min_steps=1)
    draws = np.random.default_rng(5).random((1, 10, N_TRACKS)).astype(np.float32)

    chosen = generate(draws, NOTHING_GIVEN, tf.constant(0.7), 1.0).numpy()[0]

    logits = rnn_answers(small_rnn, chosen).astype(float) / 0.7
    probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    above = np.take_along_axis(probability.cumsum(axis=-1), chosen[..., None], axis=-1)[..., 0]
    below = above - np.take_along_axis(probability, chosen[..., None], axis=-1)[..., 0]
    assert (below - 1e-5 <= draws[0]).all()
    assert (draws[0] <= above + 1e-5).all()


def test_at_temperature_zero_the_rnn_takes_the_likeliest(small_rnn):
    generate = rnn._compiled(*small_rnn.layers[1].cell.weights, *small_rnn.layers[2].weights, True, min_steps=1)
    draws = np.random.default_rng(5).random((1, 10, N_TRACKS)).astype(np.float32)

    chosen = generate(draws, NOTHING_GIVEN, tf.constant(0.0), 1.0).numpy()[0]

    assert (chosen == rnn_answers(small_rnn, chosen).argmax(axis=-1)).all()


def test_without_a_rest_class_no_track_is_ever_silent():
    networks.set_up(3)
    model = networks.build("rnn", {"units": 4, "rest": False})
    card = {"steps_per_beat": 24, "configuration": {"rest": False}}
    sampler = networks.network("rnn").sampler(model, card, FAMILIES["rnn"].sampling_settings())
    draws = np.random.default_rng(0).random((2, *sampler.draws(48))).astype(np.float32)

    sounds, _ = sampler.generate(draws, networks.Wishes())

    assert (sounds.sum(axis=-1) == 1).all()


def test_the_rnns_loss_is_the_cross_entropy_of_the_next_frame():
    networks.set_up(3)
    model = networks.build("rnn", {"units": 4, "rest": True})
    sounds = np.zeros((1, 11, N_TRACKS, N_PITCHES), np.uint8)
    sounds[0, :, BASS, [40, 43]] = 1  # a chord: each of its notes is half of the answer

    loss = float(rnn.loss(model, {"rest": True}, sounds, None))

    frames = np.zeros((1, 10, N_TRACKS, N_PITCHES + 1), np.float32)
    frames[..., N_PITCHES] = 1
    frames[:, :, BASS, N_PITCHES] = 0
    frames[:, :, BASS, [40, 43]] = 1
    logits = model(frames.reshape(1, 10, -1)).numpy()[0].astype(float)
    surprise = np.log(np.exp(logits).sum(axis=-1, keepdims=True)) - logits  # (step, track, class)
    by_hand = surprise[..., N_PITCHES]
    by_hand[:, BASS] = surprise[:, BASS, [40, 43]].mean(axis=-1)
    assert loss == pytest.approx(by_hand.mean(), rel=1e-5)


def test_a_track_of_the_cnn_sees_those_before_it_in_the_chain_and_not_those_after():
    """Change one decided track of the block, and only later tracks may be answered differently."""
    networks.set_up(3)
    model = networks.build("cnn", {"filters": 2})
    rng = np.random.default_rng(0)
    context, block = (tf.constant(rng.random((1, 20, 128, 5)) < 0.1, tf.float32) for _ in range(2))
    changed = tf.concat([block[..., :BASS], 1 - block[..., BASS : BASS + 1], block[..., BASS + 1 :]], axis=-1)

    differs = []
    for track in CHAIN:
        hidden = tf.constant(PLACE[track] <= PLACE, tf.float32)[None]
        answers = [model(cnn.question(context, b, hidden))[..., track].numpy() for b in (block, changed)]
        differs.append(bool((answers[0] != answers[1]).any()))

    assert differs == [False, False, True, True, True]  # drums and bass itself; then piano, guitar, strings


def test_training_hides_every_part_of_the_chain_equally_often():
    chance = np.random.default_rng(0).random(20_000).astype(np.float32)

    hidden = cnn.hidden_tracks(tf.constant(chance), CHAIN).numpy()

    assert hidden[:, list(CHAIN)].mean(axis=0) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0], abs=0.02)


def test_the_cnns_loss_counts_hidden_tracks_only():
    networks.set_up(3)
    model = networks.build("cnn", {"filters": 2})
    rng = np.random.default_rng(0)
    sounds = (rng.random((1, 40, 5, 128)) < 0.05).astype(np.uint8)
    chance = np.full(1, 0.99, np.float32)  # all but the chain's last is decided
    plain, weighted = (float(cnn.loss(model, {"pos_weight": w}, sounds, chance)) for w in (1.0, 3.0))

    hidden = tf.constant([[0.0, 0.0, 0.0, 0.0, 1.0]])
    planes = [tf.constant(part.transpose(0, 1, 3, 2), tf.float32) for part in (sounds[:, :20], sounds[:, 20:])]
    logits = model(cnn.question(*planes, hidden)).numpy()[0, :, :, 4].astype(float)
    sounding = sounds[0, 20:, 4] > 0
    silence, sound = np.logaddexp(0, logits)[~sounding].sum(), np.logaddexp(0, -logits)[sounding].sum()
    assert plain == pytest.approx((silence + sound) / sounding.size, rel=1e-4)
    assert weighted == pytest.approx((silence + 3 * sound) / sounding.size, rel=1e-4)


def test_calibration_makes_each_pitch_sound_as_often_as_in_music(corpus):
    networks.set_up(3)
    model = networks.build("cnn", {"filters": 2})
    sounds = windows.sounding(windows.draw(corpus, [0, 1], 64, 40, np.random.default_rng(0)))
    rates = sounds.mean(axis=(0, 1))

    bias = np.array(cnn.calibration(model, {}, sounds, rates)["bias"])

    planes = [tf.constant(part.transpose(0, 1, 3, 2), tf.float32) for part in (sounds[:, :20], sounds[:, 20:])]
    logits = model(cnn.question(*planes, tf.ones((64, 5))))[..., DRUMS].numpy().astype(float)
    expected = (1 / (1 + np.exp(-logits - bias[DRUMS]))).mean(axis=(0, 1))
    assert expected.sum() == pytest.approx(rates[DRUMS].sum(), rel=0.01)
    played = rates[DRUMS] > 0.01
    assert expected[played] == pytest.approx(rates[DRUMS][played], rel=0.5)
    assert expected[rates[DRUMS] == 0].max() < rates[DRUMS].max() / 20


def test_a_drum_strikes_only_where_the_network_is_surest():
    logits = np.full((1, 20, 128), -5.0, np.float32)
    logits[0, :, 7] = [-3, -2, -1, -2, -3, -5, -5, -2, -2.5, -5] * 2

    peaks = convolution.peaks(tf.constant(logits), 3).numpy()[0, :, 7]

    assert np.flatnonzero(peaks > -5).tolist() == [2, 7, 12, 17]


def test_sampling_decides_the_tracks_one_after_the_other_and_shows_each_to_the_next():
    """A stand-in for the network plays, on every track, pitch 60 and one more for each track that it sees decided."""

    def counting(question):
        n_decided = 5 - tf.reduce_sum(question[:, 0, 0, 10:], axis=-1)
        n_seen = tf.reduce_sum(question[:, 1, :, 5:10], axis=(1, 2))  # each decided track sounds one pitch
        tf.debugging.assert_equal(n_seen, n_decided)
        row = 100 * tf.one_hot(tf.cast(60 + n_decided, tf.int32), 128) - 50
        return tf.tile(row[:, None, :, None], (1, 20, 1, 5))

    settings = FAMILIES["cnn"].sampling_settings({"min_note_beats": 0})
    generate = convolution.compiled(cnn.asker(counting), CHAIN, np.zeros((5, 128)), [1.0] * 5, 4, settings)

    thresholds, silence = np.zeros((1, 1, 24, 128), np.float32), np.zeros((1, 20, 128, 5), np.float32)
    block = generate(thresholds, silence, 1.0, 1.0).numpy()[0, 0]

    assert [int(block[1, :, track].argmax()) for track in CHAIN] == [60, 61, 62, 63, 64]
    assert block[1].sum(axis=0).tolist() == [1] * 5


def margins(*rows):
    """Margins of pitches 0, 1, ... over the twenty steps, all others far below."""
    margin = np.full((1, 20, 128), -50.0, np.float32)
    for pitch, row in enumerate(rows):
        margin[0, :, pitch] = row
    return tf.constant(margin)


def runs(played, pitch=0):
    return "".join("#" if cell else "." for cell in played.numpy()[0, :, pitch])


def test_a_note_that_begins_lasts_its_least_and_ends_later_than_it_would_begin():
    silent = tf.zeros((1, 128))
    blip = [5.0] + [-9.0] * 19
    fading = [5.0] * 8 + [-0.5] * 6 + [-2.0] * 6

    played, age = convolution.sustained(margins(blip, fading), silent, polyphony=4, shortest=6, hysteresis=1.0)

    assert runs(played, 0) == "######.............."
    assert runs(played, 1) == "##############......"  # -0.5 would not begin a note, but keeps one
    assert age.numpy()[0, :2].tolist() == [0, 0]


def test_a_note_that_sounds_at_the_end_of_a_block_goes_on_in_the_next():
    _, age = convolution.sustained(
        margins([-9.0] * 18 + [5.0] * 2), tf.zeros((1, 128)), polyphony=4, shortest=6, hysteresis=1.0
    )

    played, _ = convolution.sustained(margins([-9.0] * 20), age, polyphony=4, shortest=6, hysteresis=1.0)

    assert runs(played) == "####................"


def test_no_more_notes_sound_than_the_track_may_have():
    loud = [[float(20 - pitch)] * 20 for pitch in range(6)]

    played, _ = convolution.sustained(margins(*loud), tf.zeros((1, 128)), polyphony=4, shortest=1, hysteresis=1.0)

    assert played.numpy()[0].sum(axis=-1).tolist() == [4] * 20
    assert played.numpy()[0, 0, :6].tolist() == [1, 1, 1, 1, 0, 0]


def test_a_drum_strikes_for_one_step_and_not_again_at_once():
    played, _ = convolution.struck(margins([5.0] * 20), tf.fill((1, 128), 9.0), polyphony=4, gap=3)

    assert runs(played) == "#..#..#..#..#..#..#."


@pytest.mark.parametrize(("heard", "sign"), [(0.0, 1), (1.0, 0), (9.0, -1)])
def test_a_clip_that_strays_from_the_corpus_density_is_brought_back(heard, sign):
    correction = convolution.correction(tf.constant([[heard] * 5]), tf.ones(5)).numpy()

    assert (np.sign(correction) == sign).all()
    assert np.abs(correction).max() <= convolution.MAX_CORRECTION
