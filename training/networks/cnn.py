"""The report's 2-D CNN: twenty steps of five tracks in, the next twenty out; four convolutions and their mirror.

A network that answers all cells at once cannot draw one track in dependence of another. So it is asked track by track,
along CHAIN: it sees the context, what of the next block is decided already, and which tracks those are; each answer is
drawn and joins what it sees. In training a random part of the chain is decided already.

Conventions: planes are (window, step 20, pitch 128, channel): five of context, five decided, five masks.
"""

import keras
import numpy as np
import tensorflow as tf

from music.pianoroll import BASS, DRUMS, GUITAR, N_PITCHES, N_TRACKS, PIANO, STRINGS
from training.families import FAMILIES
from training.networks import Sampler, level_for

BLOCK = FAMILIES["cnn"].context_steps
CHAIN = (DRUMS, BASS, PIANO, GUITAR, STRINGS)  # rhythm and root first
PLACE = np.argsort(CHAIN)  # the place of each track in the chain
POLYPHONY = (4, 4, 4, 1, 4)  # at most so many notes a track
WARM_UP_BEATS = 8  # sampling starts from silence and settles in this time; it is not kept
MIN_NOTES_PER_BEAT = 4  # no pitched note is shorter than a sixteenth
DRUM_STROKES_PER_BEAT = 8  # nor does one drum strike faster than this
HYSTERESIS = 1.0  # in logits: a note that sounds ends later than it would have begun
HELD = 100.0  # in logits: more than any doubt
DENSITY_MEMORY = 0.85  # of the density heard so far, what a block leaves of it
DENSITY_GAIN = 3.0  # at 1 a track that is heard half as often as in the corpus is made about twice as likely
MAX_CORRECTION = 4.0  # in logits
MAX_BIAS = 12.0
RARE = 0.02  # of a track's mean rate: below it a pitch is as good as never heard
CALIBRATION_BATCH = 64
SPARSE_START = -4.0  # log odds of a cell before training: few cells sound, and without it the first epochs learn that


def build(configuration):
    width = configuration["filters"]
    planes = x = keras.Input((BLOCK, N_PITCHES, 3 * N_TRACKS))
    for filters, strides in ((width, (1, 2)), (2 * width, (2, 2)), (4 * width, (1, 2)), (4 * width, (2, 2))):
        x = keras.layers.Conv2D(filters, 3, strides, "same", activation="relu")(x)
    for filters, strides in ((4 * width, (2, 2)), (2 * width, (1, 2)), (width, (2, 2))):
        x = keras.layers.Conv2DTranspose(filters, 3, strides, "same", activation="relu")(x)
    start = keras.initializers.Constant(SPARSE_START)
    logits = keras.layers.Conv2DTranspose(N_TRACKS, 3, (1, 2), "same", bias_initializer=start)(x)
    return keras.Model(planes, logits, name="cnn")


def _planes(sounds):
    """(window, step, track, pitch) -> float32 (window, step, pitch, track)"""
    return tf.cast(tf.transpose(sounds, (0, 1, 3, 2)), tf.float32)


def _question(context, block, hidden):
    """Return what the network sees; hidden: float32 (window, track), 1 for tracks that are not decided yet."""
    mask = tf.broadcast_to(hidden[:, None, None, :], tf.shape(block))
    return tf.concat([context, block * (1 - mask), mask], axis=-1)


def _hidden(chance):
    """Return float32 (window, track): 1 for the tracks that chance leaves to be told, at least the chain's last."""
    n_decided = tf.cast(tf.floor(chance * N_TRACKS), tf.int32)
    return tf.cast(tf.constant(PLACE, tf.int32)[None] >= n_decided[:, None], tf.float32)


def loss(model, configuration, sounds, chance):
    """The mean binary cross entropy of the cells of the hidden tracks, sounding ones weighted by pos_weight."""
    context, block = _planes(sounds[:, :BLOCK]), _planes(sounds[:, BLOCK:])
    hidden = _hidden(chance)
    logits = model(_question(context, block, hidden), training=True)
    cells = tf.nn.weighted_cross_entropy_with_logits(block, logits, configuration["pos_weight"])
    return _over_hidden(tf.reduce_mean(cells, axis=(1, 2)), hidden)


def _over_hidden(tracks, hidden):
    """Return the mean over windows of the mean over each window's hidden tracks; tracks: (window, track)."""
    return tf.reduce_mean(tf.reduce_sum(tracks * hidden, axis=1) / tf.reduce_sum(hidden, axis=1))


def baselines(configuration, train, test, chance):
    """The loss of two answers that know nothing: how often each cell sounds, and the last frame held.

    Holding says of a pitch that sounds how often such a one still does k steps later, of any other how often it does
    then; all counted on the training pieces.
    """
    weight = configuration["pos_weight"]
    last, block = train[:, BLOCK - 1 : BLOCK].astype(bool), train[:, BLOCK:].astype(bool)
    marginal = _rate(block.sum(axis=(0, 1)), block.shape[0] * BLOCK)  # (track, pitch)
    stays = _rate((block & last).sum(axis=(0, 3)), last.sum(axis=(0, 1, 3)))  # (step, track)
    comes = _rate((block & ~last).sum(axis=(0, 1)), BLOCK * (~last).sum(axis=(0, 1)))  # (track, pitch)
    held = np.where(test[:, BLOCK - 1 : BLOCK] > 0, stays[None, :, :, None], comes[None, None])
    hidden = _hidden(tf.constant(chance))
    answers = {"marginal": np.broadcast_to(marginal, held.shape), "hold": held}
    return {name: _loss_of(answer, test[:, BLOCK:], hidden, weight) for name, answer in answers.items()}


def _rate(count, of):
    return (count + 0.1) / (of + 1.0)


def _loss_of(rate, block, hidden, weight):
    """Return the loss of the best answer of someone who knows these rates; a weighted loss is least above the rate."""
    answer = weight * rate / (weight * rate + 1 - rate)
    cells = -np.where(block > 0, weight * np.log(answer), np.log1p(-answer))
    return float(_over_hidden(tf.constant(cells.mean(axis=(1, 3)), tf.float32), hidden))


def calibration(model, configuration, sounds, rates):
    """Return what to add to the logits of each track and pitch so that on these windows they sound as often as in music.

    The weighted loss overrates sounding cells on purpose. And convolutions hardly know which pitch they are at: left
    alone, basses drift into the treble and drums to strokes that no kit has.
    """
    context, block = _planes(sounds[:, :BLOCK]), _planes(sounds[:, BLOCK:])
    bias = np.zeros((N_TRACKS, N_PITCHES))
    for track in CHAIN:
        hidden = tf.constant(np.tile(PLACE[track] <= PLACE, (len(sounds), 1)), tf.float32)
        question = _question(context, block, hidden)
        answers = [
            model(question[i : i + CALIBRATION_BATCH])[..., track] for i in range(0, len(sounds), CALIBRATION_BATCH)
        ]
        logits = np.concatenate([answer.numpy() for answer in answers]).clip(-30, 30).astype(float)
        bias[track] = _pitch_bias(logits, rates[track])
    return {"bias": bias.round(3).tolist()}


def _pitch_bias(logits, rates):
    """Return float (pitch,): what makes the mean probability of each pitch its rate; logits: (window, step, pitch)."""
    at_level = logits + level_for(logits, rates.mean())
    floor = RARE * rates.mean() + 1e-6
    ratio = (rates + floor) / ((1 / (1 + np.exp(-at_level))).mean(axis=(0, 1)) + floor)
    pitch_bias = np.clip(np.log(ratio), -MAX_CORRECTION, MAX_CORRECTION)
    return np.clip(pitch_bias + level_for(logits + pitch_bias, rates.mean()), -MAX_BIAS, MAX_BIAS)


def sampler(model, card):
    """Return the Sampler: a block needs a uniform draw for each drum cell, and for each pitch of the other tracks.

    One draw decides for a pitch over a whole block: it sounds where its probability exceeds the draw. So it sounds as
    often as its probabilities say, and in one piece; with a draw for every cell notes would be crumbs.
    """
    spb = card["steps_per_beat"]
    warm_up = WARM_UP_BEATS * spb
    bias = card.get("calibration", {}).get("bias", np.zeros((N_TRACKS, N_PITCHES)))
    shortest, gap = max(1, spb // MIN_NOTES_PER_BEAT), max(1, spb // DRUM_STROKES_PER_BEAT)
    generate = _compiled(model, bias, card["statistics"]["density"], shortest, gap)

    def draws(n_steps):
        return -(-(warm_up + n_steps) // BLOCK), BLOCK + N_TRACKS - 1, N_PITCHES

    def rolled(uniform, temperature):
        thresholds = tf.constant(np.log(uniform + 1e-7) - np.log1p(1e-7 - uniform), tf.float32)
        blocks = generate(thresholds, tf.constant(max(temperature, 1e-3), tf.float32)).numpy() > 0
        steps = blocks.transpose(1, 0, 2, 4, 3).reshape(len(uniform), -1, N_TRACKS, N_PITCHES)
        return steps[:, warm_up:]

    return Sampler(draws, rolled)


def _compiled(model, bias, density, shortest, gap):
    bias, density = tf.constant(bias, tf.float32), tf.constant(density, tf.float32)
    last_to_first = tf.one_hot(CHAIN, N_TRACKS)  # row i: the track that is drawn at place i

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, N_PITCHES)), tf.TensorSpec(())])
    def generate(thresholds, temperature):  # thresholds: logits (clip, block, row, pitch)
        n_clips, n_blocks = tf.shape(thresholds)[0], tf.shape(thresholds)[1]
        context = tf.zeros((n_clips, BLOCK, N_PITCHES, N_TRACKS))
        ages = tf.zeros((N_TRACKS, n_clips, N_PITCHES))
        heard = tf.repeat(density[None], n_clips, axis=0)  # (clip, track)
        blocks = tf.TensorArray(tf.float32, n_blocks, element_shape=context.shape)
        for number in tf.range(n_blocks):
            lift = _correction(heard, density)[..., None] + bias  # (clip, track, pitch)
            block, hidden = tf.zeros_like(context), tf.ones_like(heard)
            new_ages = []
            for place, track in enumerate(CHAIN):
                logits = model(_question(context, block, hidden), training=False)[..., track] + lift[:, track, None]
                if track == DRUMS:
                    margin = _peaks(logits, gap) / temperature - thresholds[:, number, :BLOCK]
                    played, age = _struck(margin, ages[track], tf.constant(POLYPHONY[track]), tf.constant(float(gap)))
                else:
                    margin = logits / temperature - thresholds[:, number, BLOCK + place - 1, None]
                    played, age = _sustained(
                        margin, ages[track], tf.constant(POLYPHONY[track]), tf.constant(float(shortest))
                    )
                new_ages.append(age)
                block += played[..., None] * last_to_first[place]
                hidden -= last_to_first[place]
            ages = tf.gather(tf.stack(new_ages), PLACE)
            heard = DENSITY_MEMORY * heard + (1 - DENSITY_MEMORY) * tf.reduce_sum(block, axis=(1, 2)) / BLOCK
            context = block
            blocks = blocks.write(number, block)
        return blocks.stack()

    return generate


def _correction(heard, density):
    """Return what brings a clip back that has become denser or sparser than the corpus: (clip, track), in logits."""
    floor = 0.1 * density + 1e-3
    lift = DENSITY_GAIN * tf.math.log((density + floor) / (heard + floor))
    return tf.clip_by_value(lift, -MAX_CORRECTION, MAX_CORRECTION)


def _peaks(logits, gap):
    """Return the logits where they are the highest within the shortest gap between two strokes; HELD below elsewhere.

    The network is sure of a stroke sooner than of its step; without this it would come early or late by chance.
    """
    highest = tf.nn.max_pool1d(logits, 2 * gap - 1, 1, "SAME")
    return tf.where(logits >= highest, logits, -HELD)


@tf.function
def _struck(margin, since, polyphony, gap):
    """Return (strokes (clip, step, pitch), steps since the last one): a drum strikes where the margin is above 0."""
    steps = tf.TensorArray(tf.bool, BLOCK, element_shape=since.shape)
    for step in tf.range(BLOCK):
        on = _loudest(tf.where(since >= gap, margin[:, step], -HELD), polyphony)
        since = tf.where(on, 1.0, since + 1)
        steps = steps.write(step, on)
    return _by_clip(steps), since


@tf.function
def _sustained(margin, age, polyphony, shortest):
    """Return (sound (clip, step, pitch), steps that each pitch has sounded): notes that last at least `shortest`."""
    steps = tf.TensorArray(tf.bool, BLOCK, element_shape=age.shape)
    for step in tf.range(BLOCK):
        score = margin[:, step] + HYSTERESIS * tf.cast(age > 0, tf.float32)
        on = _loudest(tf.where((age > 0) & (age < shortest), HELD, score), polyphony)
        age = tf.where(on, age + 1, 0.0)
        steps = steps.write(step, on)
    return _by_clip(steps), age


def _loudest(score, polyphony):
    """Return which pitches score above 0, at most so many of a clip."""
    return (score > 0) & (score >= tf.math.top_k(score, polyphony).values[:, -1:])


def _by_clip(steps):
    return tf.cast(tf.transpose(steps.stack(), (1, 0, 2)), tf.float32)
