"""Drawing a class from logits by a uniform draw that comes from outside the graph."""

import tensorflow as tf

COLD = 1e-3  # a temperature below it takes the likeliest
SETTLED = 100.0  # in logits: more than any doubt


def drawn(logits, draws, temperature, top_p):
    """Return the classes that these uniform draws pick: int32 (...), for logits (..., class).

    top_p: classes beyond the likeliest that together reach this probability are not drawn
    """
    probability = nucleus(tf.nn.softmax(logits / tf.maximum(temperature, COLD)), top_p)
    cumulative = tf.cumsum(probability, axis=-1)
    threshold = draws[..., None] * cumulative[..., -1:]
    picked = tf.reduce_sum(tf.cast(cumulative <= threshold, tf.int32), axis=-1)
    likeliest = tf.argmax(logits, axis=-1, output_type=tf.int32)
    return tf.where(temperature < COLD, likeliest, tf.minimum(picked, logits.shape[-1] - 1))


def nucleus(probability, top_p):
    """Return the probabilities with those outside the nucleus set to 0 (Holtzman et al., ICLR 2020)."""
    if top_p >= 1:
        return probability
    ranked = tf.sort(probability, direction="DESCENDING")
    inside = tf.cumsum(ranked, axis=-1, exclusive=True) < top_p
    least = tf.reduce_min(tf.where(inside, ranked, 1.0), axis=-1, keepdims=True)
    return tf.where(probability >= least, probability, 0.0)


def likelier_than_not(logits, top_p):
    """Return the logits of yes or no with every doubt outside the nucleus settled: beyond any draw, or below it."""
    if top_p >= 1:
        return logits
    sure = tf.abs(logits) >= tf.math.log(top_p / (1 - top_p)) if top_p > 0.5 else tf.ones_like(logits, tf.bool)
    return tf.where(sure, SETTLED * tf.sign(logits), logits)
