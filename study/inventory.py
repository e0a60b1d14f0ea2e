"""Do rows, files, checksums and counts agree? What does not is said in a sentence, with a way to mend it where there is one."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.core.files.base import ContentFile

from generation import corpora, storing, tidying
from generation.models import Checkpoint, Clip, Corpus, Upload
from study import opening, recounting
from study.models import Analysis, Stimulus, Study


@dataclass(frozen=True)
class Fault:
    """One sentence, and a function that puts it right; it may raise OSError or ValueError where that fails."""

    sentence: str
    mend: Callable | None = None


def faults():
    """Yield every fault that there is, as it is found."""
    for model, field in tidying.file_fields():
        for row in model._base_manager.exclude(**{field.name: ""}).iterator():
            yield from _faults_of(row, field.name)
    yield from (Fault(sentence) for sentence in map(corpora.why_not_whole, Corpus.objects.all()) if sentence)
    for path in tidying.files_without_row():
        if tidying.is_older(path, tidying.GRACE):
            yield Fault(f"The file {tidying.name_of(path)} belongs to nothing.", path.unlink)
    for study in Study.objects.all():
        # Twice: a rating that came between two statements is no fault.
        if recounting.is_miscounted(study) and recounting.is_miscounted(study):
            yield Fault(
                f"The counts of the study “{study}” are not those of its ratings.", partial(recounting.recount, study)
            )


def _faults_of(row, name):
    stored = getattr(row, name)
    what = f"the {name} of {row._meta.verbose_name} “{row}” ({stored.name})"
    if not stored.storage.exists(stored.name):
        yield Fault(f"{what[0].upper()}{what[1:]} is gone.", _mending(row))
    elif not _is_as_stored(row, name):
        yield Fault(f"{what[0].upper()}{what[1:]} is not what was stored.", _mending(row))


def _is_as_stored(row, name):
    stored = getattr(row, name)
    if isinstance(row, Analysis):
        return zipfile.is_zipfile(stored.path)
    if isinstance(row, Stimulus):
        return _is_sound_as_stored(row)
    wanted = _checksum(row, name)
    return wanted is None or storing.sha256(stored.path) == wanted


def _checksum(row, name):
    """Return what the file's SHA-256 was when it was stored, or None where nobody noted it."""
    if isinstance(row, Checkpoint):
        return row.sha256
    return row.provenance.get("sha256", {}).get(name) if isinstance(row, Clip) else None


def _is_sound_as_stored(stimulus):
    if stimulus.sound_sha256:
        return storing.sha256(stimulus.sound.path) == stimulus.sound_sha256
    # Of a study that was opened before checksums were noted.
    return stimulus.sound.size == max(_sizes(stimulus.condition.study), default=0)


def _sizes(study):
    """The sounds of a study all have one size; a damaged one is smaller, for it was cut short."""
    for stimulus in study.stimuli().exclude(sound=""):
        if stimulus.sound.storage.exists(stimulus.sound.name):
            yield stimulus.sound.size


def _mending(row):
    mend = {Stimulus: _encode_again, Analysis: _forget, Upload: _refuse}.get(type(row))
    return mend and partial(mend, row)


def _encode_again(stimulus):
    """Make a study's sound from its clip once more, under the name it had: sessions that are underway go on."""
    if stimulus.clip is None:
        raise ValueError("only its ratings are known")
    mp3 = opening.sound_of(stimulus, stimulus.condition.study)
    stimulus.sound.storage.delete(stimulus.sound.name)
    stimulus.sound.storage.save(stimulus.sound.name, ContentFile(mp3))
    Stimulus.objects.filter(pk=stimulus.pk).update(sound_sha256=opening.checksum(mp3))


def _forget(analysis):
    """The results page then offers to compute it again."""
    Analysis.objects.filter(pk=analysis.pk).update(file="", results=None, figures=None, done_at=None)


def _refuse(upload):
    upload.refuse(f"{upload.name}: It is gone from the storage; bring it again.", "file.gone")


def lost_sounds(study):
    """Return how many of an open study's sounds are not in the storage."""
    names = study.stimuli().exclude(sound="").values_list("sound", flat=True)
    storage = Stimulus._meta.get_field("sound").storage
    return sum(not storage.exists(name) for name in names)
