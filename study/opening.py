"""From a draft to an open study: is everything there, and the mp3s that participants hear.

Participants must be able to tell clips apart by their sound alone. So all sounds of a study are made here, together:
one length, one loudness, one encoder, one size, each under a random name.
"""

import datetime
import hashlib
import io
from collections import Counter
from itertools import pairwise

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from accounts.models import Change
from generation import faults, measuring
from music import audio, loudness
from study import ordering
from study.models import Stimulus, Study, new_code

FEWEST_CLIPS = 2
LENGTH_TOLERANCE_SECONDS = 0.05  # what audio.fit_length may pad with silence
LOUDNESS_TOLERANCE_LU = 0.3
HIGHEST_PEAK_DBTP = -1.0
# A sound of a minute takes seconds to make, even on a busy machine: a worker that was silent for so long is dead.
PATIENCE = datetime.timedelta(seconds=60)
# An mp3 begins with some milliseconds of silence, which moves the loudness of a sound of few seconds by some tenths.
ENCODINGS = 3
MOST_TO_ARRANGE = 300  # clips: of more, an order in which conditions keep apart takes seconds to draw


class NotReadyError(ValueError):
    """Why the study cannot be opened: one sentence, or several."""


class NoLongerOpeningError(Exception):
    """The researcher took the study back, or another worker opens it."""


def check(study):
    """Return what keeps a draft from being opened, a sentence each; an empty list if nothing does."""
    stimuli = list(study.stimuli())
    if not stimuli:
        return ["The study has no clips yet: add a condition and choose clips for it."]
    return [
        *_empty_conditions(study, stimuli),
        *_too_few(stimuli),
        *_too_short(study, stimuli),
        *_twice("label", stimuli, lambda stimulus: stimulus.label),
        *_twice("clip", stimuli, lambda stimulus: stimulus.clip_id),
        *_different_renderers(stimuli),
        *_wishes(study),
    ]


def warnings(study):
    """Return what a researcher should know of the clips before the study is opened, a sentence each; nothing of it forbids that."""
    labels = {stimulus.clip_id: str(stimulus) for stimulus in study.stimuli()}
    clips = list(labels)
    found = [
        f"“{labels[clip.pk]}”: {sentence}" for clip, sentences in measuring.flags_of(clips) for sentence in sentences
    ]
    for one, other, alike in measuring.near_duplicates(clips):
        found.append(
            f"“{labels[one.pk]}” and “{labels[other.pk]}” are {alike:.0%} the same: participants would rate one clip twice."
        )
    return found


def _empty_conditions(study, stimuli):
    filled = {stimulus.condition_id for stimulus in stimuli}
    empty = [condition for condition in study.conditions.all() if condition.pk not in filled]
    return [f"The condition “{condition}” has no clips: choose some, or remove it." for condition in empty]


def _too_few(stimuli):
    if len(stimuli) < FEWEST_CLIPS:
        yield f"There is only one clip, “{stimuli[0]}”: a comparison needs two at least."


def _too_short(study, stimuli):
    for stimulus in stimuli:
        if stimulus.clip.seconds < study.length_seconds - LENGTH_TOLERANCE_SECONDS:
            yield (
                f"“{stimulus}” is {stimulus.clip.seconds:.1f} s long, shorter than the {study.length_seconds:g} s "
                f"that this study plays of each clip."
            )


def _twice(what, stimuli, key):
    for one, other in pairwise(sorted(stimuli, key=lambda stimulus: str(key(stimulus)))):
        if key(one) == key(other):
            yield f"“{one}” ({one.condition}) and “{other}” ({other.condition}) have the same {what}."


def _different_renderers(stimuli):
    renderers = {str(found) for stimulus in stimuli if (found := stimulus.clip.provenance.get("renderer"))}
    if len(renderers) > 1:
        yield "The clips were played by different synthesisers: have them made again by one, or it is them that you compare."


def _wishes(study):
    if not study.scales.exists():
        yield "The study asks no question: add one."
    plan = study.plan()
    n_clips = len(plan.conditions)
    if plan.n_clips and plan.n_clips > n_clips:
        yield f"Each participant is to hear {plan.n_clips} clips, more than there are."
    n_heard = min(plan.n_clips or n_clips, n_clips)
    if plan.n_repeats > n_heard:
        yield f"There are to be {plan.n_repeats} hidden repeats, but a session has only {n_heard} clips to repeat."
    if plan.order == Study.Order.LATIN_SQUARE and n_heard < n_clips:
        yield "A Latin square needs everybody to hear all clips: choose another order, or leave clips per session empty."
    if (plan.separate or n_heard < n_clips) and n_clips > MOST_TO_ARRANGE:
        yield f"Orders that are drawn with care are drawn of {MOST_TO_ARRANGE} clips at most; this study has {n_clips}."
    elif plan.separate:
        yield from _too_large_to_separate(study, plan, n_heard)


def _too_large_to_separate(study, plan, n_heard):
    """Say which condition has too many clips to be kept apart from itself, whatever is dealt to a session."""
    largest, size = Counter(plan.conditions.values()).most_common(1)[0]
    n_clips = len(plan.conditions)
    name = f"The condition “{study.conditions.get(pk=largest)}”"
    way_out = "give it fewer, or allow that in the settings."
    if n_heard < n_clips:
        if size > (n_heard + 1) // 2:
            yield (
                f"{name} has {size} clips, so a session of {n_heard} may get so many of them that two come in a row: "
                f"{way_out}"
            )
    elif not ordering.is_separable(plan.conditions):
        yield f"{name} has more than half of the clips, so it cannot but come twice in a row: {way_out}"
    elif (len(plan.scales) > 1 or plan.n_repeats) and 2 * size > n_clips:
        yield (
            f"{name} has more than half of the clips, so where a pass ends and what follows begins it cannot but come "
            f"twice in a row: {way_out}"
        )


def open_study(study):
    """Make every sound of a draft, freeze it and open it. If that fails, nothing of it stays and the draft says why.

    Raises NotReadyError (a clip is missing, too short, silent, ...) and NoLongerOpeningError.
    """
    if problems := check(study):
        _give_back(study, " ".join(problems))
        raise NotReadyError(" ".join(problems))
    _claim(study)
    names = []
    try:
        for stimulus in study.stimuli():
            mp3 = sound_of(stimulus, study)
            names.append(_store(mp3))
            _play(stimulus, names[-1], mp3, study)
        _refuse_unequal(study)
        _open(study)
    except BaseException as error:
        _discard(names)
        _give_back(study, _why(error))
        raise


def _why(error):
    """Return what the draft says of a failure."""
    if isinstance(error, NotReadyError):
        return str(error)
    return faults.of_machine(error) or "Its sounds could not be made."


def sound_of(stimulus, study):
    """Return the mp3 that this study plays of a clip, as bytes. Raises NotReadyError, naming the clip."""
    try:
        with stimulus.clip.master.open() as master:
            whole = audio.read(master)
        return encoded(audio.fit_length(whole, study.length_seconds), study.loudness_lufs)
    except (ValueError, OSError) as error:
        problem = str(error).rstrip(".")
        raise NotReadyError(f"“{stimulus}” cannot be played: {problem[0].lower()}{problem[1:]}.") from error


def encoded(sound, lufs):
    """Return a sound as mp3 that has this loudness when a browser decodes it, and no peak above HIGHEST_PEAK_DBTP.

    Raises ValueError if that does not come about.
    """
    aim = lufs
    for _ in range(ENCODINGS):
        mp3 = audio.encode_mp3(loudness.level(sound, aim, HIGHEST_PEAK_DBTP))
        heard = audio.read(io.BytesIO(mp3))
        level, peak = loudness.integrated_lufs(heard), loudness.true_peak_dbtp(heard)
        if abs(level - lufs) <= LOUDNESS_TOLERANCE_LU and peak <= HIGHEST_PEAK_DBTP:
            return mp3
        aim += lufs - level
    raise ValueError(f"As an mp3 it has {level:.1f} LUFS and a true peak of {peak:.1f} dBTP")


def _claim(study):
    """Take the draft for this worker: the time of its last sign of life is the mark that it is ours."""
    now = timezone.now()
    if not _ours(study).update(opening_at=now, problem=""):
        raise NoLongerOpeningError
    study.opening_at = now
    _discard(study.stimuli().exclude(sound="").values_list("sound", flat=True))  # of a worker that was killed


def is_stalled(study):
    """Whether nobody opens it any more: its worker was killed, or the queue has not delivered it yet."""
    return study.is_opening and study.opening_at < timezone.now() - _patience(study)


def _patience(study):
    return max(PATIENCE, datetime.timedelta(seconds=2 * study.length_seconds))


def _ours(study):
    return Study.objects.filter(pk=study.pk, state=Study.State.DRAFT, opening_at=study.opening_at)


def _store(mp3):
    field = Stimulus._meta.get_field("sound")
    return field.storage.save(field.generate_filename(None, f"{new_code()}.mp3"), ContentFile(mp3))


def checksum(mp3):
    return hashlib.sha256(mp3).hexdigest()


def _play(stimulus, name, mp3, study):
    """Have the study play this file of these bytes, and show that its worker lives; a worker that was given up for dead cannot."""
    now = timezone.now()
    with transaction.atomic():
        if not _ours(study).update(opening_at=now):
            raise NoLongerOpeningError
        Stimulus.objects.filter(pk=stimulus.pk).update(sound=name, sound_sha256=checksum(mp3))
    study.opening_at = now


def _refuse_unequal(study):
    sizes = {stimulus.sound.size for stimulus in study.stimuli()}
    if len(sizes) > 1:
        raise NotReadyError(f"The sounds came out in different sizes, {min(sizes)} to {max(sizes)} bytes.")


def _open(study):
    with transaction.atomic():
        if not _ours(study).update(state=Study.State.OPEN, opened_at=timezone.now(), opening_at=None, problem=""):
            raise NoLongerOpeningError
        Change.objects.note(None, "opened it", study)
    study.refresh_from_db()


def _give_back(study, problem):
    with transaction.atomic():
        if _ours(study).update(opening_at=None, problem=problem):
            Change.objects.note(None, "could not open it", study, problem=problem)


def _discard(names):
    names = list(names)
    storage = Stimulus._meta.get_field("sound").storage
    for name in names:
        storage.delete(name)
    Stimulus.objects.filter(sound__in=names).update(sound="")
