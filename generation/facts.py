"""Cards and provenance as labelled facts for a page.

A card may have been written on another machine: whatever it holds is shown as text, and what it lacks is left out.
"""

import math

from generation.models import family_title

LONGEST_TEXT = 200


def of_checkpoint(checkpoint):
    return [
        ("Family", checkpoint.family_title),
        *of_card(checkpoint.card)[1:],
        *_given(
            ("Uploaded as", _table(checkpoint.card, "uploaded").get("name")),
            ("Uploaded file's SHA-256", _table(checkpoint.card, "uploaded").get("sha256")),
            ("SHA-256 of what is kept", checkpoint.sha256),
        ),
    ]


def of_card(card):
    corpus = _table(card, "corpus")
    return _given(
        ("Family", family_title(card.get("family"))),
        *_settings(card),
        ("Steps a beat", card.get("steps_per_beat")),
        ("Corpus", corpus.get("name")),
        ("Pieces", corpus.get("n_pieces")),
        ("Corpus checksum", corpus.get("checksum")),
        ("Seed", _verbatim(card.get("seed"))),
        ("Epochs", len(history(card)) or None),
        ("Minutes", card.get("minutes")),
        ("Version", card.get("version")),
        ("Code", card.get("code")),
        ("Trained at", card.get("created_at")),
    )


def of_run(run):
    return _given(
        ("Family", run.family_title),
        ("Time", f"{_shown(run.minutes)} min at most" if run.minutes else None),
        ("Epochs", f"{run.epochs:,} at most" if run.epochs else None),
        ("Early stop", _patience(run.job)),
        ("Seed", _verbatim(run.seed)),
        *_settings({"configuration": run.configuration}),
    )


def _patience(job):
    epochs = job.settings.get("patience") if job else None
    return f"after {epochs:,} without a better test loss" if epochs else None


def of_corpus_in_card(card):
    """What a checkpoint's card says of the corpus, which may be on another machine."""
    corpus, split = _table(card, "corpus"), _table(card, "split")
    return _given(
        ("Corpus", corpus.get("name")),
        ("Pieces", corpus.get("n_pieces")),
        ("To train on", split.get("train")),
        ("Held out", split.get("test")),
        ("Beats", corpus.get("n_beats")),
        ("Steps a beat", card.get("steps_per_beat")),
        ("Checksum", corpus.get("checksum")),
    )


def of_corpus(corpus):
    card = corpus.card
    counts, split = _table(card, "counts"), _table(card, "split")
    return _given(
        ("Pieces", card.get("n_pieces")),
        ("To train on", split.get("train")),
        ("Held out", split.get("test")),
        ("Beats", card.get("n_beats")),
        ("Notes", card.get("n_notes")),
        ("Steps a beat", card.get("steps_per_beat")),
        ("Files left out", counts.get("left_out")),
        ("Checksum", corpus.checksum),
    )


def of_clip(clip):
    made = clip.provenance
    loudness, piece, sampling = _table(made, "loudness"), _table(made, "piece"), _table(made, "sampling")
    renderer, sums = _table(made, "renderer"), _table(made, "sha256")
    return _given(
        ("Family", family_title(made["family"]) if "family" in made else None),
        *_settings(made),
        ("Seed", _verbatim(made.get("seed"))),
        ("Epoch", made.get("epoch")),
        ("Clip of its seed", made["index"] + 1 if made.get("kind") == "generated" else None),
        *((f"Sampling: {_words(name)}", value) for name, value in sampling.items() if name != "settings"),
        *((f"Sampling: {_words(name)}", value) for name, value in _table(sampling, "settings").items()),
        ("Condition", made.get("condition")),
        ("Label", made.get("label")),
        ("Made by", made.get("source")),
        ("File", _table(made, "file").get("name")),
        ("Kind of file", _table(made, "file").get("kind")),
        ("File's SHA-256", _table(made, "file").get("sha256")),
        ("Piece", piece.get("title")),
        ("MIDI md5", piece.get("md5")),
        ("Corpus", _table(made, "corpus").get("name")),
        ("Corpus checksum", _table(made, "corpus").get("checksum")),
        ("Checkpoint's SHA-256", _table(made, "checkpoint").get("sha256")),
        ("Loudness as played", _with_unit(loudness.get("before_lufs"), "LUFS")),
        ("Loudness of the clip", _with_unit(clip.loudness_lufs, "LUFS")),
        ("True peak", _with_unit(loudness.get("true_peak_dbtp"), "dBTP")),
        ("Renderer", _joined(renderer, "name", "version")),
        ("SoundFont", renderer.get("soundfont")),
        ("SoundFont's SHA-256", renderer.get("soundfont_sha256")),
        ("Roll's SHA-256", sums.get("roll")),
        ("Master's SHA-256", sums.get("master")),
        ("Made with", ", ".join(f"{name} {version}" for name, version in _table(made, "versions").items())),
    )


def history(card):
    """Return the epochs of a card that a curve can be drawn from."""
    epochs = card.get("history")
    return [epoch for epoch in epochs if _is_epoch(epoch)] if isinstance(epochs, list) else []


def baselines(card):
    return {name: value for name, value in _table(card, "baselines").items() if _is_finite(value)}


def _is_epoch(epoch):
    return isinstance(epoch, dict) and all(_is_finite(epoch.get(key)) for key in ("epoch", "train_loss", "test_loss"))


def _is_finite(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _settings(card):
    return [(_words(name).capitalize(), value) for name, value in _table(card, "configuration").items()]


def _words(name):
    return str(name).replace("_", " ")


def _table(card, key):
    value = card.get(key)
    return value if isinstance(value, dict) else {}


def _with_unit(value, unit):
    return f"{value:.1f} {unit}" if _is_finite(value) else None


def _verbatim(value):
    """A number that is copied, not read: without separators."""
    return None if value is None else str(value)


def _joined(table, *keys):
    return " ".join(str(table[key]) for key in keys if key in table)


def _given(*facts):
    return [(label[:LONGEST_TEXT], _shown(value)) for label, value in facts if value not in (None, "", [], {})]


def _shown(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)[:LONGEST_TEXT]
