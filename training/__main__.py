"""python -m training corpus | train | sample | metrics: everything that needs no site. See --help of each."""

import argparse
import errno
import hashlib
import json
import math
import signal
import sys
import time
from pathlib import Path

from tqdm import tqdm

from music import similarity
from training import checkpoint, corpus, duplicates, importing
from training.families import FAMILIES, STEPS_PER_BEAT, family_named

STARTED = time.monotonic()  # before TensorFlow is imported: --minutes bounds that too
BAD_INPUT = 2
INTERRUPTED = 130


class Events:
    """Tells a program how far it is: one JSON object a line on stdout."""

    SECONDS_BETWEEN = 0.2  # a step of a small network takes milliseconds; nobody reads so fast

    def __init__(self):
        self._last = 0.0

    def tell(self, event, **values):
        now = time.monotonic()
        is_last = values.get("done") == values.get("total")
        if event == "progress" and now - self._last < self.SECONDS_BETWEEN and not is_last:
            return
        self._last = now
        print(json.dumps({"event": event, **{name: _plain(value) for name, value in values.items()}}), flush=True)


class Bar:
    """Tells a person how far it is: a bar on stderr, and a line for each epoch."""

    def __init__(self):
        self._bar = None

    def tell(self, event, **values):
        if event == "progress":
            self._progress(**values)
            return
        self._close()
        if event == "epoch":
            line = "epoch {epoch}: train loss {train_loss:.4f}, test loss {test_loss:.4f}, {seconds:.0f} s"
            tqdm.write(line.format(**values), file=sys.stderr)
        else:
            tqdm.write(values["message"], file=sys.stderr)

    def _progress(self, done, total, **values):
        if self._bar is None:
            self._bar = tqdm(total=total, file=sys.stderr, leave=False, dynamic_ncols=True)
        if "loss" in values:
            self._bar.set_postfix_str(f"loss {values['loss']:.4f}, {values['seconds_left']:.0f} s left", refresh=False)
        self._bar.update(done - self._bar.n)

    def _close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _plain(value):
    return float(value) if hasattr(value, "dtype") else value


def build_corpus(options, tell):
    def report(done, total, seconds_left):
        tell("progress", done=done, total=total, seconds_left=seconds_left)

    plan = options.steps_per_beat, options.limit, report, options.name, options.genre_list
    made = corpus.build(options.source, options.out, *plan)
    card = made.card
    message = "{kept} of {files} files are in {out}".format(out=options.out, **card["counts"])
    split = "{train} pieces to train on, {test} to test on".format(**card["split"])
    message = f"{message}: {split}. {duplicates.in_words(card.get('near_duplicates', []))}".rstrip()
    tell("done", out=str(options.out), checksum=card["checksum"], message=message, **card["counts"])


def train(options, tell):
    family_named(options.family).configuration(_settings(options.set))  # refused before TensorFlow starts
    made = corpus.open_corpus(options.corpus)
    from training import loop

    minutes = options.minutes
    if minutes is None and options.epochs is None:
        minutes = 2.0
    if minutes is not None:
        minutes = max(0.0, minutes - (time.monotonic() - STARTED) / 60)
    bounds = {"epochs": options.epochs, "minutes": minutes, "patience": options.patience}
    plan = loop.Plan(options.family, _settings(options.set), seed=options.seed, mixed=options.mixed_precision, **bounds)
    is_told = _told_to_stop()
    card = loop.train(plan, made, options.out, options.resume, tell, is_told)
    best = next(entry for entry in card["history"] if entry["epoch"] == card["best_epoch"])
    message = f"{options.out}: test loss {best['test_loss']:.4f} after epoch {card['best_epoch']}; "
    message += "knowing nothing, {marginal:.4f}; holding the last frame, {hold:.4f}.".format(**card["baselines"])
    facts = {"best_epoch": card["best_epoch"], "baselines": card["baselines"], "stopped": is_told()}
    tell("done", out=str(options.out), epochs=len(card["history"]), message=message, **facts)


def _settings(pairs):
    """Return {name: value} of NAME=VALUE pairs; a value is JSON."""
    settings = {}
    for pair in pairs:
        name, _separator, text = pair.partition("=")
        try:
            settings[name] = json.loads(text)
        except ValueError as problem:
            raise ValueError(f"--set takes NAME=VALUE, such as units=128 or rest=false, not {pair!r}.") from problem
    return settings


def _told_to_stop():
    """Return a function that says whether Ctrl-C or SIGTERM came. A second one ends the process at once."""
    received = []

    def on_signal(number, frame):
        received.append(number)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, on_signal)
    return lambda: bool(received)


def sample(options, tell):
    source = Path(options.file)
    read = checkpoint.read(source)
    if options.clips < 1:
        raise ValueError(f"clips must be 1 or more, not {options.clips}.")
    family = family_named(read.card["family"])
    settings = family.sampling_settings(_settings(options.set))
    temperature = family.temperature if options.temperature is None else options.temperature
    top_p = family.top_p if options.top_p is None else options.top_p
    from training import clips, sampling

    n_stages = options.clips if options.rolls_only else 2 * options.clips  # drawing a clip, and making it sound
    started = time.monotonic()

    def report(done, _=None):
        left = (time.monotonic() - started) / done * (n_stages - done)
        tell("progress", done=done, total=n_stages, seconds_left=left)

    prompt = options.prompt and importing.read_roll(options.prompt)
    drawing = temperature, top_p, prompt, settings, report
    rolls = sampling.sample(read, options.clips, options.seconds, options.seed, *drawing)
    made = {
        "checkpoint": {"file": source.name, "sha256": _sha256(source)},
        "family": read.card["family"],
        "seed": options.seed,
        "temperature": temperature,
        "top_p": top_p,
        "settings": settings,
        "prompt": options.prompt and {"file": options.prompt.name, "sha256": _sha256(options.prompt)},
        "seconds": options.seconds,
        "tempo_bpm": read.card["statistics"]["tempo_bpm"],
    }
    clips.write(options.out, rolls, made, None if options.rolls_only else lambda done: report(options.clips + done))
    tell("done", out=str(options.out), clips=len(rolls), message=f"{len(rolls)} clips are in {options.out}.")


def measure(options, tell):
    """Measure a folder of clips; what a person reads goes to stdout, progress to stderr."""
    from training import measuring, measuring_folder

    files = corpus.music_files(options.folder)
    against, grid = None, options.steps_per_beat
    if options.against:
        made = corpus.open_corpus(options.against)

        def read(done, total, seconds_left):
            tell("progress", done=done, total=total, seconds_left=seconds_left)

        against = measuring.Against.of(made, grid or made.steps_per_beat, options.seconds, read)
    started = time.monotonic()

    def report(done):
        left = (time.monotonic() - started) / done * (len(files) - done)
        tell("progress", done=done, total=len(files), seconds_left=left)

    found = measuring_folder.of_folder(options.folder, files, against, grid or STEPS_PER_BEAT[0], report)
    limit = against.limit if against else similarity.NEAR_DUPLICATE
    n_read = sum(one.found is not None for one in found)
    if not n_read:
        raise ValueError(f"{options.folder} holds nothing that can be read; of {found[0].file}: {found[0].problem}")
    alike = measuring_folder.likenesses(found)
    pairs = measuring_folder.near_duplicates(found, alike, limit)
    measuring_folder.flag_duplicates(found, pairs, limit)
    said = measuring_folder.as_set(found, alike, against)
    if options.json or options.events:
        clips = [{"file": one.file, "problem": one.problem, **(one.found or {})} for one in found]
        answer = {"clips": clips, "near_duplicates": pairs, "set": said}
        tell("done", message=f"{n_read} of {len(files)} files were measured.")
        print(json.dumps(answer, default=float))
        return
    tell("done", message=f"{n_read} of {len(files)} files were measured.")
    print("\n".join(measuring_folder.as_text(found, said, against)))


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _bound(kind, low):
    def read(text):
        value = kind(text)
        if not math.isfinite(value) or value < low:
            raise argparse.ArgumentTypeError(f"must be {low} or more, not {text}")
        return value

    read.__name__ = kind.__name__
    return read


def parser():
    commands = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    subparsers = commands.add_subparsers(dest="command", required=True)
    _corpus_options(subparsers.add_parser("corpus", help="pack a folder of LPD-5 or MIDI files for training"))
    _train_options(subparsers.add_parser("train", help="train a network on a corpus"))
    _sample_options(subparsers.add_parser("sample", help="make new clips with a trained network"))
    _metrics_options(subparsers.add_parser("metrics", help="measure a folder of clips, ours or not"))
    for subparser in subparsers.choices.values():
        subparser.add_argument("--events", action="store_true", help="one JSON object a line on stdout, no bar")
    return commands


def _corpus_options(options):
    options.set_defaults(run=build_corpus)
    options.add_argument("source", type=Path, help="folder of .npz (LPD) and .mid files, found at any depth")
    options.add_argument("--out", type=Path, required=True, help="folder to write")
    options.add_argument("--steps-per-beat", type=int, choices=STEPS_PER_BEAT, default=STEPS_PER_BEAT[0])
    options.add_argument("--limit", type=_bound(int, 1), help="how many pieces to keep at most")
    options.add_argument("--genre-list", type=Path, help="file of ids (md5 or Million Song): only these pieces")
    options.add_argument("--name", help="what to call it (the folder's name)")


def _train_options(options):
    options.set_defaults(run=train)
    options.add_argument("family", choices=list(FAMILIES))
    options.add_argument("--corpus", type=Path, required=True, help="folder that the corpus command wrote")
    options.add_argument("--out", type=Path, required=True, help="checkpoint to write, FILE.keras")
    options.add_argument("--epochs", type=_bound(int, 1))
    options.add_argument("--minutes", type=_bound(float, 0.0), help="2, unless --epochs is given")
    options.add_argument("--seed", type=_bound(int, 0), default=0)
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the family")
    options.add_argument("--patience", type=_bound(int, 1), help="end after so many epochs without a better test loss")
    options.add_argument(
        "--mixed-precision", action=argparse.BooleanOptionalAction, help="compute in bfloat16 (where there is a GPU)"
    )
    options.add_argument("--resume", action="store_true", help="go on from the last epoch of FILE.run")


def _sample_options(options):
    options.set_defaults(run=sample)
    options.add_argument("file", type=Path, help="checkpoint, FILE.keras")
    options.add_argument("--clips", type=int, default=1)
    options.add_argument("--seconds", type=float, default=30.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, required=True, help="folder to write")
    options.add_argument("--temperature", type=float, help="the family's own, unless given")
    options.add_argument("--top-p", type=float, help="draw from the likeliest that reach this probability; as above")
    options.add_argument("--prompt", type=Path, help="an LPD or MIDI file whose last bars every clip goes on from")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of sampling")
    options.add_argument("--rolls-only", action="store_true", help="LPD-5 files only, no .mid and .mp3")


def _metrics_options(options):
    options.set_defaults(run=measure)
    options.add_argument("folder", type=Path, help="folder of .npz (LPD) and .mid files, found at any depth")
    options.add_argument("--against", type=Path, metavar="CORPUS", help="hold them against this corpus' real music")
    options.add_argument("--steps-per-beat", type=int, choices=STEPS_PER_BEAT, help="grid (24, or the corpus')")
    options.add_argument("--seconds", type=_bound(float, 1.0), default=30.0, help="length of the real stretches (30)")
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def main(arguments=None):
    options = parser().parse_args(arguments)
    tell = (Events() if options.events else Bar()).tell
    try:
        options.run(options, tell)
    except KeyboardInterrupt:
        tell("error", message="Interrupted; nothing was written.")
        return INTERRUPTED
    except (ValueError, OSError) as problem:
        full = {"problem": "disk.full"} if getattr(problem, "errno", None) == errno.ENOSPC else {}
        tell("error", message=_sentence(problem), **full)
        return BAD_INPUT
    return 0


def _sentence(problem):
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {problem.strerror}."
    return str(problem)


if __name__ == "__main__":
    sys.exit(main())
