"""What an upload claims to be by its name. What it is, its bytes say later, in a child."""

from pathlib import PurePath

from music.refusal import Refusal

ROLLS = (".npz", ".mid", ".midi")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
WEIGHTS = (".keras", ".h5", ".safetensors")
CLIPS = (*ROLLS, *SOUNDS)
KINDS = {
    **dict.fromkeys(ROLLS, "roll"),
    **dict.fromkeys(SOUNDS, "sound"),
    **dict.fromkeys(WEIGHTS, "checkpoint"),
    ".json": "card",
    ".csv": "table",
    ".zip": "archive",
}
SAVE_WEIGHTS = 'save with model.save_weights("x.weights.h5")'
PROGRAMS = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".pb", ".joblib", ".npy", ".tar", ".gz")


def kind_of(name):
    """Return "roll", "sound", "checkpoint", "card", "table" or "archive".

    Raises Refusal, with the way out, for a name that ends otherwise.
    """
    suffix = suffix_of(name)
    if name.lower().endswith(".weights.json"):
        raise Refusal(f"Weights in several files are not read; {SAVE_WEIGHTS}.", "file.type")
    if suffix in PROGRAMS:
        sentence = (
            f"A {suffix} file may run code when it is opened and is not read; {SAVE_WEIGHTS}, or bring finished clips."
        )
        raise Refusal(sentence, "file.type")
    if suffix not in KINDS:
        sentence = f"Files ending in {suffix or 'nothing'} are not known here; these are: {', '.join(KINDS)}."
        raise Refusal(sentence, "file.type")
    return KINDS[suffix]


def suffix_of(name):
    return PurePath(name).suffix.lower()


def stem_of(name):
    """Return what a checkpoint and its card have in common: "a" of a.weights.h5, a.keras, a.json and a.card.json."""
    stem = PurePath(name).stem.lower()
    return stem.removesuffix(".weights").removesuffix(".card").removesuffix(".keras").removesuffix(".safetensors")
