"""A GRU at four steps a beat that knows where in the bar it is and what was played one and two bars ago.

At each step five tracks are decided one after the other, each knowing what those before it do: drums as one of 512 sets
of nine strokes; of the others each voice begins a pitch, holds the one that sounds, or rests. So notes are as long as
they are meant to be, and the tracks keep together.

Left to itself it would take up whatever tracks happen to play, and drift from key to key. So it is told the arrangement
of a window: how densely each track plays in it, and which scale most of it lies in (Arrangement).

Conventions: H heads in the order in which they are decided (families.Voices). Music is int16 (window, step, H + 1 + 6, 2):
of each head the class and what sounds then (drums: the set of strokes; a voice: 1 + pitch, 0 for silence); then the step
of the bar; then the arrangement, at every step the same. Pitches of voices count from Voices.LOWEST. Features are what
the network sees of a step: nine drums, and of each voice the pitch that sounds and whether it begins.
"""

import keras
import numpy as np
import tensorflow as tf

from music.pianoroll import BASS, DRUMS, GUITAR, N_PITCHES, N_TRACKS, PIANO, STRINGS
from training.families import BAR_STEPS, FAMILIES, Arrangement, Voices
from training.networks import PROMPT_BEATS, Sampler
from training.networks.drawing import drawn

FAMILY = FAMILIES["gru-chain"]
CONTEXT, TARGET = FAMILY.context_steps, FAMILY.target_steps
HOLD, REST, LOWEST, N_VOICE_PITCHES = Voices.HOLD, Voices.REST, Voices.LOWEST, Voices.N_VOICE_PITCHES
FREE = -1  # in a prompt: nothing is given here
SMOOTHING = 1e-4
WARM_UP_BEATS = 16  # from silence; not kept

# Kick, snare, closed and open hat, low, middle and high tom, crash, ride: what each is played on, and the General MIDI
# strokes that count as it (Roberts et al., ICML 2018, fold drums alike).
PLAYED_ON = (36, 38, 42, 46, 45, 47, 50, 49, 51)
STROKES = (
    *((35, 36), (37, 38, 39, 40), (42, 44, 54, 69, 70, 82), (46,), (41, 43, 45, 61, 64, 66, 68)),
    *((47, 48, 60, 63, 65, 67, 77), (50, 62, 76), (49, 52, 55, 57), (51, 53, 56, 59, 80, 81)),
)
DRUM_OF_PITCH = np.full(N_PITCHES, -1)
for _drum, _pitches in enumerate(STROKES):
    DRUM_OF_PITCH[list(_pitches)] = _drum
SCALES = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], key) for key in range(12)])  # the twelve major ones
BITS = (np.arange(2**Voices.N_DRUMS)[:, None] >> np.arange(Voices.N_DRUMS)) & 1  # (set of strokes, drum)


def build(configuration):
    voices, width = Voices.of(configuration), configuration["width"]
    frame = keras.layers.Dense(width)
    past = [keras.Input((None, sum(voices.n_features))) for _ in range(3)]  # a step, one bar and two bars ago
    bar = keras.Input((None, BAR_STEPS + Arrangement.width(configuration)))
    trunk = keras.layers.Concatenate()([*(frame(one) for one in past), bar])
    state = keras.layers.GRU(configuration["units"], return_sequences=True)(trunk)
    now = [keras.Input((None, n_features)) for n_features in voices.n_features[:-1]]
    hidden = [
        keras.layers.Dense(width, activation="relu")(keras.layers.Concatenate()([state, *now[:i]]) if i else state)
        for i in range(len(voices.tracks))
    ]
    answers = [keras.layers.Dense(n)(one) for n, one in zip(voices.n_classes, hidden, strict=True)]
    return keras.Model([*past, bar, *now], answers, name="gru_chain")


def prepared(drawn_windows, configuration):
    """Return int16 (window, step, head + 7, 2), as this module's conventions say."""
    voices = Voices.of(configuration)
    n_heads, n_told = len(voices.tracks), 1 + Arrangement.N
    music = np.zeros((drawn_windows.n_windows, drawn_windows.n_steps, n_heads + n_told, 2), np.int16)
    for track in set(voices.tracks):
        heads = [head for head, of in enumerate(voices.tracks) if of == track]
        ours = np.flatnonzero(drawn_windows.track == track)
        if track == DRUMS:
            music[:, :, heads[0], :] = _strokes(drawn_windows, ours)[..., None]
        else:
            music[:, :, heads] = _voices(drawn_windows, ours, len(heads))
    step = drawn_windows.position[:, None] + np.arange(drawn_windows.n_steps)
    music[:, :, n_heads] = (step % BAR_STEPS)[..., None]
    music[:, :, n_heads + 1 :] = arrangement(drawn_windows)[:, None, :, None]
    return music


def arrangement(drawn_windows):
    """Return int (window, 6): of each track how densely it plays, and the scale, as families.Arrangement counts them."""
    n_windows, n_beats = drawn_windows.n_windows, drawn_windows.n_steps / FAMILY.steps_per_beat
    cell = drawn_windows.row * N_TRACKS + drawn_windows.track
    notes = np.bincount(cell, minlength=n_windows * N_TRACKS).reshape(n_windows, N_TRACKS)
    pitched = drawn_windows.track != DRUMS
    lengths = (drawn_windows.end - drawn_windows.onset)[pitched]
    chroma = drawn_windows.row[pitched] * 12 + drawn_windows.pitch[pitched] % 12
    heard = np.bincount(chroma, lengths, minlength=n_windows * 12).reshape(n_windows, 12)
    scale = (heard @ SCALES.T).argmax(axis=1)
    return np.column_stack([np.digitize(notes / n_beats, Arrangement.NOTES_PER_BEAT, right=True), scale])


def _strokes(drawn_windows, ours):
    """Return int (window, step): the set of strokes as a number."""
    drum = DRUM_OF_PITCH[drawn_windows.pitch[ours]]
    known = ours[drum >= 0]
    struck = np.zeros((drawn_windows.n_windows, drawn_windows.n_steps, Voices.N_DRUMS), int)
    struck[drawn_windows.row[known], drawn_windows.onset[known], drum[drum >= 0]] = 1
    return struck @ (1 << np.arange(Voices.N_DRUMS))


def _voices(drawn_windows, ours, n_voices):
    """Return int (window, step, voice, 2) of one track's notes: which class, and which pitch sounds.

    Notes go to the first free voice, chords from above. Where none is free, the note that would have ended first ends
    now; of a chord that is too large, the lowest notes are left out.
    """
    ours = ours[
        np.lexsort((-drawn_windows.pitch[ours].astype(int), drawn_windows.onset[ours], drawn_windows.row[ours]))
    ]
    row, onset, end = drawn_windows.row[ours], drawn_windows.onset[ours], drawn_windows.end[ours].copy()
    voice = _assigned(row, onset, end, drawn_windows.n_windows, n_voices)
    pitch = in_range(drawn_windows.pitch[ours].astype(int)) - LOWEST
    result = np.zeros((drawn_windows.n_windows, drawn_windows.n_steps, n_voices, 2), int)
    result[..., 0] = REST
    kept = voice >= 0
    lengths = np.where(kept, end - onset, 0)
    which = np.repeat(np.arange(len(ours)), lengths)
    steps = np.repeat(onset - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    result[row[which], steps, voice[which]] = np.stack([np.full(len(which), HOLD), pitch[which] + 1], axis=-1)
    begins = np.flatnonzero(kept & drawn_windows.begins[ours])
    result[row[begins], onset[begins], voice[begins], 0] = pitch[begins]
    return result


def _assigned(row, onset, end, n_windows, n_voices):
    """Return each note's voice, -1 for none; shortens `end` of notes that are cut off. Notes: by row, then in their order."""
    voice = np.full(len(row), -1)
    first = np.searchsorted(row, np.arange(n_windows))
    counts = np.searchsorted(row, np.arange(n_windows), side="right") - first
    last = np.full((n_windows, n_voices), -1)  # the latest note of each voice
    for turn in range(counts.max(initial=0)):  # the notes that are the turn-th of their window, all at once
        rows = np.flatnonzero(counts > turn)
        note = first[rows] + turn
        until = np.where(last[rows] >= 0, end[last[rows]], 0)
        since = np.where(last[rows] >= 0, onset[last[rows]], -1)
        wait = np.maximum(until, onset[note][:, None])
        wait = np.where(since == onset[note][:, None], np.iinfo(int).max, wait)  # one chord does not cut itself
        chosen = wait.argmin(axis=1)
        taken = np.take_along_axis(wait, chosen[:, None], axis=1)[:, 0] < np.iinfo(int).max
        rows, note, chosen = rows[taken], note[taken], chosen[taken]
        before = last[rows, chosen]
        cut = before[before >= 0]
        end[cut] = np.minimum(end[cut], onset[note[before >= 0]])
        voice[note] = chosen
        last[rows, chosen] = note
    return voice


def in_range(pitch):
    """Return the pitches brought into the range of a voice by octaves."""
    below = -(-np.maximum(LOWEST - pitch, 0) // 12)
    above = -(-np.maximum(pitch - (LOWEST + N_VOICE_PITCHES - 1), 0) // 12)
    return pitch + 12 * below - 12 * above


def _features(music, tracks):
    """Return for each head float32 (..., feature) of int (..., head, 2)."""
    features = []
    for head, track in enumerate(tracks):
        told, sounds = music[..., head, 0], music[..., head, 1]
        if track == DRUMS:
            features.append(tf.gather(tf.constant(BITS, tf.float32), sounds))
        else:
            begins = tf.cast(told < HOLD, tf.float32)[..., None]
            features.append(tf.concat([tf.one_hot(sounds - 1, N_VOICE_PITCHES), begins], axis=-1))
    return features


def _told_beforehand(place, told, configuration):
    """Return float32 (..., feature): the step of the bar, and the arrangement if the network is told it.

    place: int (...), the step of the bar; told: int (..., 6), the arrangement
    """
    parts = [tf.one_hot(place, BAR_STEPS)]
    if configuration["arrangement"]:
        parts += [tf.one_hot(told[..., i], n) for i, n in enumerate(Arrangement.SIZES)]
    return tf.concat(parts, axis=-1)


def _surprises(model, configuration, music):
    """Return the cross entropy (window, step, head) of what follows the context."""
    music = tf.cast(music, tf.int32)
    tracks = Voices.of(configuration).tracks
    features = _features(music, tracks)
    frames = tf.concat(features, axis=-1)
    past = [frames[:, CONTEXT - ago : CONTEXT - ago + TARGET] for ago in (1, BAR_STEPS, 2 * BAR_STEPS)]
    bar = _told_beforehand(music[:, CONTEXT:, len(tracks), 0], music[:, CONTEXT:, len(tracks) + 1 :, 0], configuration)
    answers = model([*past, bar, *(feature[:, CONTEXT:] for feature in features[:-1])], training=True)
    told = music[:, CONTEXT:, : len(tracks), 0]
    return tf.stack(
        [
            tf.nn.sparse_softmax_cross_entropy_with_logits(told[..., head], answer)
            for head, answer in enumerate(answers)
        ],
        axis=-1,
    )


def loss(model, configuration, music, chance):
    """The mean cross entropy of a step's classes, over steps and heads, each given the heads before it."""
    return tf.reduce_mean(_surprises(model, configuration, music))


def baselines(configuration, train, test, chance):
    """The loss of two answers that know nothing: how often each class is told, and what sounds held on.

    Holding answers with the same drums, hold for a voice that sounds and rest for one that does not; it keeps for the
    marginal as much as does best on the training pieces, head by head.
    """
    keeps = np.array([0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    marginal_loss, held_loss = [], []
    for head, n_classes in enumerate(Voices.of(configuration).n_classes):
        marginal = np.bincount(train[:, CONTEXT:, head, 0].ravel(), minlength=n_classes) + SMOOTHING
        marginal = marginal / marginal.sum()
        chances = [_of_holding(music, head, n_classes, marginal) for music in (train, test)]
        answers = [[keep * rate + (1 - keep) * held for keep in keeps] for rate, held in chances]
        best = np.argmin([-np.log(answer + 1e-12).mean() for answer in answers[0]])
        held_loss.append(-np.log(answers[1][best] + 1e-12).mean())
        marginal_loss.append(-np.log(chances[1][0]).mean())
    return {"marginal": float(np.mean(marginal_loss)), "hold": float(np.mean(held_loss))}


def _of_holding(music, head, n_classes, marginal):
    """Return (the marginal's probability of what is told, whether holding would tell it), both (window, step)."""
    told, before = music[:, CONTEXT:, head, 0], music[:, CONTEXT - 1 : -1, head]
    is_drums = n_classes == 2**Voices.N_DRUMS
    held = before[..., 0] if is_drums else np.where(before[..., 1] > 0, HOLD, REST)
    return marginal[told], told == held


def calibration(model, configuration, music, rates):
    """Return the arrangements of training windows in which drums, bass and another track play, one drawn for each clip."""
    if not configuration["arrangement"]:
        return {}
    told = music[:, 0, len(Voices.of(configuration).tracks) + 1 :, 0]
    others = told[:, [PIANO, GUITAR, STRINGS]].any(axis=1)
    full = told[(told[:, DRUMS] > 0) & (told[:, BASS] > 0) & others]
    return {"arrangements": full.tolist()}


def sampler(model, card, settings):
    """Return the Sampler: one uniform draw a step and head, and before them a row whose first draw picks the arrangement."""
    configuration, voices = card["configuration"], Voices.of(card["configuration"])
    spb, n_heads = card["steps_per_beat"], len(voices.tracks)
    shortest = round(settings["min_note_beats"] * spb)
    graph = _compiled(model, configuration, _masks(voices, settings["polyphony"]), shortest)
    known = np.array(card.get("calibration", {}).get("arrangements") or [Arrangement.USUAL], np.int32)

    def rolled(draws, wishes):
        told = known[(draws[:, 0, 0] * len(known)).astype(int)]
        given = np.full((draws.shape[1] - 1, n_heads, 2), FREE, np.int32)
        warm_up = WARM_UP_BEATS * spb
        if wishes.prompt is not None:
            warm_up = PROMPT_BEATS * spb
            given[:warm_up] = prepared(wishes.prompt, configuration)[0, :, :n_heads]
            told = np.tile(arrangement(wishes.prompt).astype(np.int32), (len(draws), 1))
        temperature = tf.constant(wishes.temperature, tf.float32)
        steps = graph(draws[:, 1:], given, told, temperature, wishes.top_p).numpy()
        return as_sound(steps[:, warm_up:], voices.tracks)

    return Sampler(draws=lambda n_steps: (1 + WARM_UP_BEATS * spb + n_steps, n_heads), generate=rolled)


def _masks(voices, polyphony):
    """Return for each head what is added to its logits so that no track has more notes than it may."""
    masks, seen = [], [0] * N_TRACKS
    for track, n_classes in zip(voices.tracks, voices.n_classes, strict=True):
        seen[track] += 1
        if track == DRUMS:
            banned = BITS.sum(axis=1) > polyphony[track]
        else:
            banned = (np.arange(n_classes) != REST) & (seen[track] > polyphony[track])
        masks.append(np.where(banned, -1e9, 0.0).astype(np.float32))
    return masks


def _compiled(model, configuration, masks, min_steps):
    """Return the graph of how a clip is drawn.

    (draws (clip, step, head), given (step, head, 2), told (clip, 6), temperature, top_p) -> int32 (clip, step, head, 2)
    """
    voices = Voices.of(configuration)
    frame, gru, hidden, answers = _layers(model, len(voices.tracks))
    n_heads = len(voices.tracks)

    @tf.function
    def generate(draws, given, arrangements, temperature, top_p):
        n_clips, n_steps = tf.shape(draws)[0], tf.shape(draws)[1]
        silent = tf.constant([[0, 0] if track == DRUMS else [REST, 0] for track in voices.tracks])
        music = tf.repeat(silent[None], n_clips, axis=0)  # (clip, head, 2)
        nothing = frame(tf.concat(_features(music, voices.tracks), axis=-1))
        frames = tf.repeat(nothing[None], 2 * BAR_STEPS, axis=0)  # of the last two bars, the oldest first
        state, age = tf.zeros((n_clips, gru.units)), tf.zeros((n_clips, n_heads), tf.int32)
        steps = tf.TensorArray(tf.int32, n_steps, element_shape=(None, n_heads, 2))
        for step in tf.range(n_steps):
            bar = _told_beforehand(tf.repeat(step % BAR_STEPS, n_clips), arrangements, configuration)
            seen = tf.concat([frames[-1], frames[BAR_STEPS], frames[0], bar], axis=-1)
            state, _ = gru.cell(seen, [state])
            decided, told = [state], []
            for head, track in enumerate(voices.tracks):
                logits = answers[head](hidden[head](tf.concat(decided, axis=-1))) + masks[head]
                sounds = music[:, head, 1]
                if track != DRUMS:
                    logits += _rules(sounds, age[:, head], min_steps)
                    siblings = [i for i, of in enumerate(voices.tracks) if of == track and i != head]
                    others = [told[i][:, 1] if i < head else music[:, i, 1] for i in siblings]
                    logits += _without(others)
                answer = drawn(logits, draws[:, step, head], temperature, top_p)
                answer = tf.where(given[step, head, 0] == FREE, answer, given[step, head, 0])
                told.append(_told(answer, sounds, given[step, head, 1], track))
                decided += _features(told[-1][:, None], (track,))
            music = tf.stack(told, axis=1)
            age = tf.where(music[..., 0] == HOLD, age + 1, 1)
            now = frame(tf.concat(decided[1:], axis=-1))
            frames = tf.concat([frames[1:], now[None]], axis=0)
            steps = steps.write(step, music)
        return tf.transpose(steps.stack(), (1, 0, 2, 3))

    return generate


def _layers(model, n_heads):
    """Return (frame, gru, [hidden of each head], [answer of each head])."""
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    gru = next(layer for layer in model.layers if isinstance(layer, keras.layers.GRU))
    return dense[0], gru, dense[1 : 1 + n_heads], dense[1 + n_heads :]


def _rules(sounds, age, min_steps):
    """Return what is added to a voice's logits (clip, class): only what sounds is held, and a short note is."""
    is_hold = tf.one_hot(HOLD, REST + 1)[None]
    must_hold = tf.cast((sounds > 0) & (age < min_steps), tf.float32)[:, None]
    cannot_hold = tf.cast(sounds == 0, tf.float32)[:, None]
    return -1e9 * (cannot_hold * is_hold + must_hold * (1 - is_hold))


def _without(others):
    """Return what is added to a voice's logits (clip, class): no pitch begins that another voice of the track has."""
    taken = [tf.one_hot(sounds - 1, REST + 1, on_value=-1e9) for sounds in others]
    return tf.add_n(taken) if taken else 0.0


def _told(answer, sounds, given, track):
    """Return int32 (clip, 2) of one head: the class, and what sounds then."""
    if track == DRUMS:
        return tf.stack([answer, answer], axis=-1)
    held = tf.where(given > 0, given, sounds)  # a prompt may begin within a note
    now = tf.where(answer < HOLD, answer + 1, tf.where(answer == HOLD, held, 0))
    return tf.stack([answer, now], axis=-1)


def as_sound(steps, tracks):
    """Return (sounds, onsets), bool (clip, step, track 5, pitch 128), of int (clip, step, head, 2)."""
    sounds = np.zeros((*steps.shape[:2], N_TRACKS, N_PITCHES), bool)
    onsets = np.zeros_like(sounds)
    for head, track in enumerate(tracks):
        told, now = steps[..., head, 0], steps[..., head, 1]
        if track == DRUMS:
            clip, step, drum = np.nonzero(BITS[now])
            pitch = np.array(PLAYED_ON)[drum]
            sounds[clip, step, track, pitch] = onsets[clip, step, track, pitch] = True
            continue
        clip, step = np.nonzero(now)
        pitch = now[clip, step] - 1 + LOWEST
        sounds[clip, step, track, pitch] = True
        clip, step = np.nonzero(told < HOLD)
        onsets[clip, step, track, told[clip, step] + LOWEST] = True
    return sounds, onsets
