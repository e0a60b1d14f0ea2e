"""The report's baseline: an LSTM reads the five tracks of a step as one flat vector and says the next one.

Each track has a softmax of its own over 128 pitches and, unless switched off, a rest; the five are drawn independently
of each other, one note a track and step. Ten steps of context, the loss on every one of them; sampling carries the
LSTM's state on.

Conventions: a frame is (track 5, class), its classes the pitches and then the rest.
"""

import keras
import numpy as np
import tensorflow as tf

from music.pianoroll import DRUMS, N_PITCHES, N_TRACKS
from training import windows
from training.families import FAMILIES
from training.networks import PROMPT_BEATS, Sampler
from training.networks.drawing import drawn

CONTEXT_STEPS = FAMILIES["rnn"].context_steps
FREE = -1  # in a prompt: nothing is given here
SMOOTHING = 1e-4


def build(configuration):
    n_classes = N_PITCHES + configuration["rest"]
    frames = keras.Input((CONTEXT_STEPS, N_TRACKS * n_classes))
    states = keras.layers.LSTM(configuration["units"], return_sequences=True)(frames)
    logits = keras.layers.Dense(N_TRACKS * n_classes)(states)
    return keras.Model(frames, keras.layers.Reshape((CONTEXT_STEPS, N_TRACKS, n_classes))(logits), name="rnn")


def prepared(drawn_windows, configuration):
    return windows.sounding(drawn_windows)


def _classes(sounds, rest):
    """Return float32 frames: the pitches that sound, and the rest where none does."""
    if not rest:
        return tf.cast(sounds, tf.float32)
    silent = 1 - tf.reduce_max(sounds, axis=-1, keepdims=True)
    return tf.cast(tf.concat([sounds, silent], axis=-1), tf.float32)


def _shares(frames):
    """Return the frames as distributions over classes; a track without a class stays empty."""
    return tf.math.divide_no_nan(frames, tf.reduce_sum(frames, axis=-1, keepdims=True))


def loss(model, configuration, sounds, chance):
    """The mean cross entropy of the next frame, over steps and tracks."""
    frames = _classes(sounds, configuration["rest"])
    given = tf.reshape(frames[:, :-1], (-1, CONTEXT_STEPS, frames.shape[2] * frames.shape[3]))
    logits = model(given, training=True)
    return -tf.reduce_mean(tf.reduce_sum(_shares(frames[:, 1:]) * tf.nn.log_softmax(logits), axis=-1))


def baselines(configuration, train, test, chance):
    """The loss of two answers that know nothing: how often each class sounds, and the last frame held.

    Holding is sure of itself and would lose infinitely where it errs, so it keeps for the marginal as much as does best
    on the training pieces, track by track.
    """
    train, test = (_shares(_classes(sounds, configuration["rest"])).numpy() for sounds in (train, test))
    marginal = train.mean(axis=(0, 1)) + SMOOTHING
    marginal /= marginal.sum(axis=-1, keepdims=True)
    keeps = np.array([0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])

    def held(frames, keep):
        return _cross_entropy(frames[:, 1:], (1 - keep) * frames[:, :-1] + keep * marginal)

    best = keeps[np.argmin([held(train, keep) for keep in keeps], axis=0)]  # (track,)
    return {
        "marginal": float(_cross_entropy(test[:, 1:], np.broadcast_to(marginal, test[:, 1:].shape)).mean()),
        "hold": float(held(test, best[:, None]).mean()),
    }


def _cross_entropy(target, answer):
    """Return float (track,)."""
    return -(target * np.log(answer + 1e-12)).sum(axis=-1).mean(axis=(0, 1))


def calibration(model, configuration, sounds, rates):
    return {}


def sampler(model, card, settings):
    """Return the Sampler: one uniform draw a step and track."""
    spb, rest = card["steps_per_beat"], card["configuration"]["rest"]
    warm_up = PROMPT_BEATS * spb
    lstm, dense = (model.get_layer(index=index) for index in (1, 2))
    graph = _compiled(*lstm.cell.weights, *dense.weights, rest, round(settings["min_note_beats"] * spb))

    def rolled(draws, wishes):
        given = np.full(draws.shape[1:], FREE, np.int32)
        if wishes.prompt is not None:
            given[:warm_up] = highest_notes(windows.sounding(wishes.prompt)[0])
        chosen = graph(tf.constant(draws), given, tf.constant(wishes.temperature, tf.float32), wishes.top_p)
        return chosen.numpy()[:, warm_up:, :, None] == np.arange(N_PITCHES), None

    return Sampler(draws=lambda n_steps: (warm_up + n_steps, N_TRACKS), generate=rolled)


def highest_notes(sounds):
    """Return the highest pitch of each step and track, N_PITCHES where none sounds; sounds: (step, track, pitch)."""
    highest = N_PITCHES - 1 - sounds[..., ::-1].argmax(axis=-1)
    return np.where(sounds.any(axis=-1), highest, N_PITCHES)


def _compiled(kernel, recurrent, bias, dense_kernel, dense_bias, rest, min_steps):
    n_classes = N_PITCHES + rest
    first_row = tf.range(N_TRACKS) * n_classes
    is_held = tf.range(N_TRACKS) != DRUMS

    @tf.function
    def generate(draws, given, temperature, top_p):  # (clip, step, track), (step, track) -> int32 (clip, step, track)
        n_clips, n_steps = tf.shape(draws)[0], tf.shape(draws)[1]
        draws = tf.transpose(draws, (1, 0, 2))
        state = tf.zeros((n_clips, recurrent.shape[0]))
        carry = tf.zeros_like(state)
        note = tf.fill((n_clips, N_TRACKS), N_PITCHES)  # every track rests before the clip
        age = tf.zeros_like(note)
        chosen = tf.TensorArray(tf.int32, n_steps, element_shape=(None, N_TRACKS))
        for step in tf.range(n_steps):
            rows = tf.gather(kernel, tf.minimum(note, n_classes - 1) + first_row)  # one-hot times kernel is its rows
            sounding = tf.cast(note < n_classes, tf.float32)[..., None]
            gates = tf.reduce_sum(rows * sounding, axis=1) + state @ recurrent + bias
            enter, forget, new, out = tf.split(gates, 4, axis=-1)
            carry = tf.sigmoid(forget) * carry + tf.sigmoid(enter) * tf.tanh(new)
            state = tf.sigmoid(out) * tf.tanh(carry)
            logits = tf.reshape(state @ dense_kernel + dense_bias, (-1, N_TRACKS, n_classes))
            answer = drawn(logits, draws[step], temperature, top_p)
            answer = tf.where(is_held & (note < N_PITCHES) & (age < min_steps), note, answer)
            answer = tf.where(given[step] == FREE, answer, given[step])
            age = tf.where(answer == note, age + 1, 1)
            note = answer
            chosen = chosen.write(step, note)
        return tf.transpose(chosen.stack(), (1, 0, 2))

    return generate
