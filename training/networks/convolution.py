"""What the report's convolutional networks share: the layers, and how blocks of answers become music.

Conventions: planes are (window, step 20, pitch 128, channel). A family tells its answers by an `Asker`: given the
context it returns a function of (block so far, hidden, track) that gives the logits of that track, (window, step,
pitch); block: (window, step, pitch, track), hidden: float32 (window, track), 1 for tracks that are not decided yet.
"""

import keras
import numpy as np
import tensorflow as tf

from music.pianoroll import DRUMS, N_PITCHES, N_TRACKS
from training import windows
from training.families import FAMILIES, order_of
from training.networks import PROMPT_BEATS, Sampler, level_for
from training.networks.drawing import COLD, likelier_than_not

BLOCK = FAMILIES["cnn"].context_steps
DRUM_STROKES_PER_BEAT = 8  # no drum strikes faster than this
HELD = 1000.0  # in logits: more than any doubt
DENSITY_MEMORY = 0.85  # of the density heard so far, what a block leaves of it
DENSITY_GAIN = 3.0  # at 1 a track that is heard half as often as in the corpus is made about twice as likely
MAX_CORRECTION = 4.0  # in logits
MAX_BIAS = 12.0
RARE = 0.02  # of a track's mean rate: below it a pitch is as good as never heard
CALIBRATION_BATCH = 64
SPARSE_START = -4.0  # log odds of a cell before training: few cells sound, and without it the first epochs learn that


def layers(planes, width, n_tracks):
    """Return the logits (window, step, pitch, track) of four convolutions and their mirror over these planes."""
    x = planes
    for filters, strides in ((width, (1, 2)), (2 * width, (2, 2)), (4 * width, (1, 2)), (4 * width, (2, 2))):
        x = keras.layers.Conv2D(filters, 3, strides, "same", activation="relu")(x)
    for filters, strides in ((4 * width, (2, 2)), (2 * width, (1, 2)), (width, (2, 2))):
        x = keras.layers.Conv2DTranspose(filters, 3, strides, "same", activation="relu")(x)
    start = keras.initializers.Constant(SPARSE_START)
    return keras.layers.Conv2DTranspose(n_tracks, 3, (1, 2), "same", bias_initializer=start)(x)


def prepared(drawn_windows, configuration):
    return windows.sounding(drawn_windows)


def context_and_block(music):
    """(window, step 40, track, pitch) -> two float32 (window, step 20, pitch, track)"""
    planes = tf.cast(tf.transpose(music, (0, 1, 3, 2)), tf.float32)
    return planes[:, :BLOCK], planes[:, BLOCK:]


def places(order):
    """Return the place of each track in the order in which they are decided: int (track,)."""
    return np.argsort(order)


def all_hidden(music):
    """Return float32 (window, track): every track is to be told."""
    return tf.ones((len(music), N_TRACKS))


def cross_entropy(block, logits, hidden, pos_weight):
    """The mean binary cross entropy of the cells of the hidden tracks, sounding ones weighted by pos_weight."""
    cells = tf.nn.weighted_cross_entropy_with_logits(block, logits, pos_weight)
    return over_hidden(tf.reduce_mean(cells, axis=(1, 2)), hidden)


def over_hidden(tracks, hidden):
    """Return the mean over windows of the mean over each window's hidden tracks; tracks: (window, track)."""
    return tf.reduce_mean(tf.reduce_sum(tracks * hidden, axis=1) / tf.reduce_sum(hidden, axis=1))


def baselines(configuration, train, test, hidden):
    """The loss of two answers that know nothing: how often each cell sounds, and the last frame held.

    Holding says of a pitch that sounds how often such a one still does k steps later, of any other how often it does
    then; all counted on the training pieces. hidden: float32 (window of test, track), the tracks that are to be told.
    """
    weight = configuration["pos_weight"]
    last, block = train[:, BLOCK - 1 : BLOCK].astype(bool), train[:, BLOCK:].astype(bool)
    marginal = _rate(block.sum(axis=(0, 1)), block.shape[0] * BLOCK)  # (track, pitch)
    stays = _rate((block & last).sum(axis=(0, 3)), last.sum(axis=(0, 1, 3)))  # (step, track)
    comes = _rate((block & ~last).sum(axis=(0, 1)), BLOCK * (~last).sum(axis=(0, 1)))  # (track, pitch)
    held = np.where(test[:, BLOCK - 1 : BLOCK] > 0, stays[None, :, :, None], comes[None, None])
    answers = {"marginal": np.broadcast_to(marginal, held.shape), "hold": held}
    return {name: _loss_of(answer, test[:, BLOCK:], hidden, weight) for name, answer in answers.items()}


def _rate(count, of):
    return (count + 0.1) / (of + 1.0)


def _loss_of(rate, block, hidden, weight):
    """Return the loss of the best answer of someone who knows these rates; a weighted loss is least above the rate."""
    answer = weight * rate / (weight * rate + 1 - rate)
    cells = -np.where(block > 0, weight * np.log(answer), np.log1p(-answer))
    return float(over_hidden(tf.constant(cells.mean(axis=(1, 3)), tf.float32), hidden))


def calibration(ask, configuration, music, rates):
    """Return what to add to the logits of each track and pitch so that on this music they sound as often as in training.

    The weighted loss overrates sounding cells on purpose. And convolutions hardly know which pitch they are at: left
    alone, basses drift into the treble and drums to strokes that no kit has.
    """
    order = order_of(configuration)
    bias = np.zeros((N_TRACKS, N_PITCHES))
    parts = [context_and_block(music[i : i + CALIBRATION_BATCH]) for i in range(0, len(music), CALIBRATION_BATCH)]
    for track in order:
        hidden = places(order)[track] <= places(order)
        answers = []
        for context, block in parts:
            mask = tf.constant(np.tile(hidden, (len(context), 1)), tf.float32)
            answers.append(ask(context)(block * (1 - mask[:, None, None]), mask, track).numpy())
        bias[track] = pitch_bias(np.concatenate(answers).clip(-30, 30).astype(float), rates[track])
    return {"bias": bias.round(3).tolist()}


def pitch_bias(logits, rates):
    """Return float (pitch,): what makes the mean probability of each pitch its rate; logits: (window, step, pitch)."""
    at_level = logits + level_for(logits, rates.mean())
    floor = RARE * rates.mean() + 1e-6
    ratio = (rates + floor) / ((1 / (1 + np.exp(-at_level))).mean(axis=(0, 1)) + floor)
    pitch_bias = np.clip(np.log(ratio), -MAX_CORRECTION, MAX_CORRECTION)
    return np.clip(pitch_bias + level_for(logits + pitch_bias, rates.mean()), -MAX_BIAS, MAX_BIAS)


def sampler(ask, card, settings):
    """Return the Sampler: a block needs a uniform draw for each drum cell, and for each pitch of the other tracks.

    One draw decides for a pitch over a whole block: it sounds where its probability exceeds the draw. So it sounds as
    often as its probabilities say, and in one piece; with a draw for every cell notes would be crumbs.
    """
    spb = card["steps_per_beat"]
    warm_up = PROMPT_BEATS * spb
    bias = card.get("calibration", {}).get("bias", np.zeros((N_TRACKS, N_PITCHES)))
    order, density = order_of(card["configuration"]), card["statistics"]["density"]
    generate = compiled(ask, order, bias, density, spb, settings)

    def draws(n_steps):
        return -(-(warm_up + n_steps) // BLOCK), BLOCK + N_TRACKS - 1, N_PITCHES

    def rolled(uniform, wishes):
        thresholds = tf.constant(np.log(uniform + 1e-7) - np.log1p(1e-7 - uniform), tf.float32)
        context = np.zeros((len(uniform), BLOCK, N_PITCHES, N_TRACKS), np.float32)
        if wishes.prompt is not None:
            context[:] = windows.sounding(wishes.prompt)[0, -BLOCK:].transpose(0, 2, 1)
        temperature = tf.constant(max(wishes.temperature, COLD), tf.float32)
        blocks = generate(thresholds, context, temperature, wishes.top_p).numpy() > 0
        steps = blocks.transpose(1, 0, 2, 4, 3).reshape(len(uniform), -1, N_TRACKS, N_PITCHES)
        return (steps[:, warm_up:] if wishes.prompt is None else steps), None

    return Sampler(draws, rolled)


def compiled(ask, order, bias, density, steps_per_beat, settings):
    """Return the graph: (thresholds in logits (clip, block, row, pitch), context, temperature, top_p) -> (block, clip, ...)."""
    shortest = max(1, round(settings["min_note_beats"] * steps_per_beat))
    gap = max(1, steps_per_beat // DRUM_STROKES_PER_BEAT)
    bias, density = tf.constant(bias, tf.float32), tf.constant(density, tf.float32)
    polyphony, hysteresis = settings["polyphony"], settings["hysteresis"]
    in_order, place_of = tf.one_hot(order, N_TRACKS), places(order)  # row i: the track that is decided at place i
    row_of = np.cumsum([0, *(BLOCK if track == DRUMS else 1 for track in order)])  # a track's first row of draws

    @tf.function
    def generate(thresholds, context, temperature, top_p):
        n_clips, n_blocks = tf.shape(thresholds)[0], tf.shape(thresholds)[1]
        context = tf.ensure_shape(context, (None, BLOCK, N_PITCHES, N_TRACKS))
        ages = tf.zeros((N_TRACKS, n_clips, N_PITCHES))
        heard = tf.repeat(density[None], n_clips, axis=0)  # (clip, track)
        blocks = tf.TensorArray(tf.float32, n_blocks, element_shape=context.shape)
        for number in tf.range(n_blocks):
            answer, lifted = ask(context), tf.zeros((1, N_TRACKS, 1))
            if settings["density"]:
                lifted = correction(heard, density)[..., None] + bias  # (clip, track, pitch)
            block, hidden, new_ages = tf.zeros_like(context), tf.ones_like(heard), []
            for place, track in enumerate(order):
                logits = (answer(block, hidden, track) + lifted[:, track, None]) / temperature
                drawn = thresholds[:, number, row_of[place] : row_of[place + 1]]
                if track == DRUMS:
                    margin = likelier_than_not(peaks(logits, gap), top_p) - drawn
                    played, age = struck(margin, ages[track], tf.constant(polyphony[track]), tf.constant(float(gap)))
                else:
                    margin = likelier_than_not(logits, top_p) - drawn
                    rules = (tf.constant(polyphony[track]), tf.constant(float(shortest)), tf.constant(hysteresis))
                    played, age = sustained(margin, ages[track], *rules)
                new_ages.append(age)
                block += played[..., None] * in_order[place]
                hidden -= in_order[place]
            ages = tf.gather(tf.stack(new_ages), place_of)
            heard = DENSITY_MEMORY * heard + (1 - DENSITY_MEMORY) * tf.reduce_sum(block, axis=(1, 2)) / BLOCK
            context = block
            blocks = blocks.write(number, block)
        return blocks.stack()

    return generate


def correction(heard, density):
    """Return what brings a clip back that has become denser or sparser than the corpus: (clip, track), in logits."""
    floor = 0.1 * density + 1e-3
    lift = DENSITY_GAIN * tf.math.log((density + floor) / (heard + floor))
    return tf.clip_by_value(lift, -MAX_CORRECTION, MAX_CORRECTION)


def peaks(logits, gap):
    """Return the logits where they are the highest within the shortest gap between two strokes; HELD below elsewhere.

    The network is sure of a stroke sooner than of its step; without this it would come early or late by chance.
    """
    highest = tf.nn.max_pool1d(logits, 2 * gap - 1, 1, "SAME")
    return tf.where(logits >= highest, logits, -HELD)


@tf.function
def struck(margin, since, polyphony, gap):
    """Return (strokes (clip, step, pitch), steps since the last one): a drum strikes where the margin is above 0."""
    steps = tf.TensorArray(tf.bool, BLOCK, element_shape=since.shape)
    for step in tf.range(BLOCK):
        on = loudest(tf.where(since >= gap, margin[:, step], -HELD), polyphony)
        since = tf.where(on, 1.0, since + 1)
        steps = steps.write(step, on)
    return by_clip(steps), since


@tf.function
def sustained(margin, age, polyphony, shortest, hysteresis):
    """Return (sound (clip, step, pitch), steps that each pitch has sounded): notes that last at least `shortest`."""
    steps = tf.TensorArray(tf.bool, BLOCK, element_shape=age.shape)
    for step in tf.range(BLOCK):
        score = margin[:, step] + hysteresis * tf.cast(age > 0, tf.float32)
        on = loudest(tf.where((age > 0) & (age < shortest), HELD, score), polyphony)
        age = tf.where(on, age + 1, 0.0)
        steps = steps.write(step, on)
    return by_clip(steps), age


def loudest(score, polyphony):
    """Return which pitches score above 0, at most so many of a clip."""
    return (score > 0) & (score >= tf.math.top_k(score, polyphony).values[:, -1:])


def by_clip(steps):
    return tf.cast(tf.transpose(steps.stack(), (1, 0, 2)), tf.float32)
