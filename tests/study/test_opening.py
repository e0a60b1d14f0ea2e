"""Opening makes sounds that differ in their sound alone, or leaves the draft as it was and says why."""

import io
from datetime import timedelta

import numpy as np
import pytest
import soundfile
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from music import audio, loudness
from study import opening, tasks
from study.models import Scale, Study
from tests.studies import clip_row, silent_for, store

pytestmark = pytest.mark.django_db


def sounds(study):
    """What the study plays, as bytes."""
    contents = []
    for stimulus in study.stimuli():
        if stimulus.sound:
            with stimulus.sound.open() as file:
                contents.append(file.read())
    return contents


def files(root):
    return sorted(path.name for path in (root / "sounds").glob("*"))


def test_an_opened_study_plays_equal_sounds(make_draft, make_clip, ada, tmp_path):
    study = make_draft()
    # One far louder and one far softer than the others.
    loud, soft = (make_clip(ada, title=f"{hertz} Hz", seconds=2.5, hertz=hertz) for hertz in (97, 4000))
    study.conditions.first().choose([loud, soft])

    opening.open_study(study)

    assert (study.state, study.opening_at, study.problem) == (Study.State.OPEN, None, "")
    assert study.opened_at is not None
    contents = sounds(study)
    assert len(set(contents)) == 3
    assert len({len(content) for content in contents}) == 1
    for content in contents:
        heard = audio.read(io.BytesIO(content))
        assert loudness.integrated_lufs(heard) == pytest.approx(-23, abs=0.3)
        assert loudness.true_peak_dbtp(heard) <= -1
        assert len(heard) / audio.SAMPLE_RATE == pytest.approx(2, abs=0.1)
        assert not content.startswith((b"ID3", b"RIFF"))


def test_sounds_begin_alike_and_have_one_format(make_draft):
    study = make_draft({"CNN": 3, "Real": 2})

    opening.open_study(study)

    formats, lead_ins = set(), []
    for content in sounds(study):
        heard, rate = soundfile.read(io.BytesIO(content))
        loud = np.abs(heard[:, 0]) > 0.05 * np.abs(heard).max()
        formats.add((rate, heard.shape))
        lead_ins.append(1000 * np.argmax(loud) / rate)
    assert {(rate, shape[1]) for rate, shape in formats} == {(48_000, 2)}
    assert len(formats) == 1
    assert max(lead_ins) - min(lead_ins) <= 5  # milliseconds


def test_each_label_has_the_sound_of_its_own_clip(make_draft):
    study = make_draft({"CNN": 3, "Real": 2})

    opening.open_study(study)

    for stimulus in study.stimuli():
        with stimulus.clip.master.open("rb") as master, stimulus.sound.open("rb") as sound:
            assert strongest_hertz(sound) == pytest.approx(strongest_hertz(master), abs=2)
    assert len({round(strongest_hertz(io.BytesIO(content)), -1) for content in sounds(study)}) == 5


def strongest_hertz(file):
    heard = audio.read(file)[:, 0]
    return np.argmax(np.abs(np.fft.rfft(heard))) * audio.SAMPLE_RATE / len(heard)


def test_the_sounds_have_the_studys_own_loudness_and_length(make_draft):
    study = make_draft({"CNN": 2}, seconds=3.1, length_seconds=3, loudness_lufs=-18)

    opening.open_study(study)

    for sound in sounds(study):
        heard = audio.read(io.BytesIO(sound))
        assert loudness.integrated_lufs(heard) == pytest.approx(-18, abs=0.3)
        assert len(heard) / audio.SAMPLE_RATE == pytest.approx(3, abs=0.1)


def test_the_files_bear_random_names(draft, tmp_path):
    opening.open_study(draft)

    names = files(tmp_path)
    assert names == sorted(stimulus.sound.name.removeprefix("sounds/") for stimulus in draft.stimuli())
    assert all(len(name) == len("0123456789012345678901.mp3") for name in names)
    assert not any(word in name for name in names for word in ("CNN", "Real", str(draft.pk) + "_"))


def complaint(study):
    with pytest.raises(opening.NotReadyError) as caught:
        opening.open_study(study)
    return str(caught.value)


def remains_a_draft(study, tmp_path):
    study.refresh_from_db()
    return (study.state, study.opening_at, files(tmp_path), sounds(study)) == ("draft", None, [], [])


def test_a_study_without_clips_stays_a_draft(make_draft, tmp_path):
    study = make_draft()
    study.conditions.all().delete()

    assert complaint(study) == "The study has no clips yet: add a condition and choose clips for it."
    assert remains_a_draft(study, tmp_path)
    assert study.problem == "The study has no clips yet: add a condition and choose clips for it."


def test_each_thing_that_is_missing_has_its_sentence(make_draft, make_clip, ada):
    study = make_draft({"CNN": 2})
    study.conditions.create(name="RNN", position=2)
    short = make_clip(ada, seconds=1.5)
    study.conditions.create(name="Short", position=3).choose([short])
    other = study.stimuli().first()
    study.conditions.create(name="Again", position=4).choose([other.clip])
    study.stimuli().filter(condition__name="Again").update(label="CNN 2")
    Scale.objects.all().delete()
    study.clips_per_session, study.n_repeats = 9, 7

    assert opening.check(study) == [
        "The condition “RNN” has no clips: choose some, or remove it.",
        "“Short 1” is 1.5 s long, shorter than the 2 s that this study plays of each clip.",
        "“CNN 2” (CNN) and “CNN 2” (Again) have the same label.",
        "“CNN 1” (CNN) and “CNN 2” (Again) have the same clip.",
        "The study asks no question: add one.",
        "Each participant is to hear 9 clips, more than there are.",
        "There are to be 7 hidden repeats, but a session has only 4 clips to repeat.",
    ]


def test_a_condition_with_most_of_the_clips_cannot_but_follow_itself(make_draft):
    study = make_draft({"CNN": 3, "RNN": 1}, separate_conditions=True)

    assert opening.check(study) == [
        "The condition “CNN” has more than half of the clips, so it cannot but come twice in a row: give it fewer, or "
        "allow that in the settings."
    ]
    assert opening.check(make_draft({"CNN": 2, "RNN": 1}, separate_conditions=True)) == []


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"clips_per_session": 3}, "has 3 clips, so a session of 3 may get so many of them that two come in a row"),
        ({"n_repeats": 1}, "has more than half of the clips, so where a pass ends and what follows begins"),
        ({"clips_per_session": 5}, None),
    ],
)
def test_a_condition_that_only_some_sessions_could_keep_apart_is_named(make_draft, wishes, sentence):
    sizes = {"CNN": 3, "RNN": 2} if "n_repeats" in wishes else {"CNN": 3, "RNN": 2, "Real": 2}

    found = opening.check(make_draft(sizes, separate_conditions=True, **wishes))

    assert found == [] if sentence is None else (len(found) == 1 and sentence in found[0])


def test_a_latin_square_is_for_everybody_who_hears_all_clips(make_draft):
    found = opening.check(make_draft({"CNN": 3}, order="latin-square", clips_per_session=2))

    assert found == [
        "A Latin square needs everybody to hear all clips: choose another order, or leave clips per session empty."
    ]


def test_a_study_of_very_many_clips_is_not_arranged_with_care(make_draft, monkeypatch):
    monkeypatch.setattr(opening, "MOST_TO_ARRANGE", 3)

    assert opening.check(make_draft({"CNN": 2, "RNN": 2}, separate_conditions=True)) == [
        "Orders that are drawn with care are drawn of 3 clips at most; this study has 4."
    ]


def test_one_clip_is_no_comparison(make_draft):
    assert opening.check(make_draft({"CNN": 1})) == [
        "There is only one clip, “CNN 1”: a comparison needs two at least."
    ]


def test_clips_of_two_synthesisers_are_not_compared(make_draft):
    study = make_draft({"CNN": 2})
    for number, stimulus in enumerate(study.stimuli()):
        stimulus.clip.provenance = {"renderer": {"name": "synthesiser", "version": str(number)}}
        stimulus.clip.save()

    assert opening.check(study) == [
        "The clips were played by different synthesisers: have them made again by one, or it is them that you compare."
    ]


def test_a_complete_draft_has_nothing_missing(draft):
    assert opening.check(draft) == []


def test_a_silent_clip_is_named_and_the_sounds_made_before_it_go(make_draft, make_clip, ada, tmp_path, monkeypatch):
    study = make_draft({"CNN": 2, "RNN": 1})
    last = study.stimuli().last()
    heard = audio.read

    def read(file):
        return heard(file) * (0 if last.clip.master.name in str(getattr(file, "name", "")) else 1)

    monkeypatch.setattr(opening.audio, "read", read)

    sentence = complaint(study)

    assert sentence.startswith("“RNN 1” cannot be played: the sound is silent")
    assert remains_a_draft(study, tmp_path)
    assert study.problem == sentence


def test_a_master_that_is_gone_is_named(draft, tmp_path):
    clip = draft.stimuli().last().clip
    clip.master.storage.delete(clip.master.name)

    assert complaint(draft).startswith("“Real 1” cannot be played: ")
    assert remains_a_draft(draft, tmp_path)


def test_an_encoder_that_fails_leaves_nothing(draft, tmp_path, monkeypatch):
    made = iter([b"one sound", RuntimeError("no encoder")])

    def sound_of(stimulus, study):
        if isinstance(found := next(made), Exception):
            raise found
        return found

    monkeypatch.setattr(opening, "sound_of", sound_of)

    with pytest.raises(RuntimeError, match="no encoder"):
        opening.open_study(draft)

    assert remains_a_draft(draft, tmp_path)
    assert draft.problem == "Its sounds could not be made."


def test_sounds_of_different_sizes_are_refused(draft, tmp_path, monkeypatch):
    sizes = iter([10, 10, 11])
    monkeypatch.setattr(opening, "sound_of", lambda stimulus, study: bytes(next(sizes)))

    assert complaint(draft) == "The sounds came out in different sizes, 10 to 11 bytes."
    assert remains_a_draft(draft, tmp_path)


@pytest.mark.parametrize(("loud", "high"), [(-22.5, -3), (-23, -0.9)])
def test_what_the_encoder_made_too_loud_is_refused(draft, tmp_path, monkeypatch, loud, high):
    monkeypatch.setattr(opening.loudness, "integrated_lufs", lambda sound: loud)
    monkeypatch.setattr(opening.loudness, "true_peak_dbtp", lambda sound: high)
    monkeypatch.setattr(opening.loudness, "level", lambda sound, *args: sound)

    assert "cannot be played: as an mp3 it has " in complaint(draft)
    assert remains_a_draft(draft, tmp_path)


def test_sounds_that_a_killed_worker_left_go_first(draft, tmp_path):
    store(draft.stimuli().first())

    opening.open_study(draft)

    assert len(files(tmp_path)) == 3
    assert "half.mp3" not in files(tmp_path)


def test_the_worker_opens_what_was_asked_for(draft):
    tasks.ask_to_open(draft)

    assert (draft.is_opening, draft.may_be_edited) == (True, False)
    tasks.open_study.call(draft.pk, draft.opening_at.isoformat())
    draft.refresh_from_db()
    assert (draft.state, draft.may_be_edited) == ("open", False)


def test_a_second_delivery_changes_nothing(draft, tmp_path):
    tasks.ask_to_open(draft)
    asked_at = draft.opening_at.isoformat()
    tasks.open_study.call(draft.pk, asked_at)
    before, opened_at = files(tmp_path), Study.objects.get().opened_at

    tasks.open_study.call(draft.pk, asked_at)

    assert files(tmp_path) == before
    assert Study.objects.get().opened_at == opened_at


def test_a_study_taken_back_before_the_worker_came_stays_a_draft(draft, tmp_path):
    tasks.ask_to_open(draft)
    asked_at = draft.opening_at.isoformat()
    tasks.take_back(draft)

    tasks.open_study.call(draft.pk, asked_at)

    assert remains_a_draft(draft, tmp_path)
    assert draft.may_be_edited


def test_a_study_taken_back_while_its_sounds_are_made_stays_a_draft(draft, tmp_path, monkeypatch):
    made = []

    def sound_of(stimulus, study):
        made.append(stimulus)
        if len(made) == 2:
            tasks.take_back(Study.objects.get())
        return b"a sound"

    monkeypatch.setattr(opening, "sound_of", sound_of)
    tasks.ask_to_open(draft)

    tasks.open_study.call(draft.pk, draft.opening_at.isoformat())

    assert len(made) == 2
    assert remains_a_draft(draft, tmp_path)
    assert draft.problem == ""


def deliver():
    """Do what is in the queue now, as a worker that was just started."""
    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)


@pytest.mark.django_db(transaction=True)
def test_a_study_that_a_killed_worker_left_is_opened_by_the_next(draft, tmp_path):
    tasks.ask_to_open(draft)
    DBTaskResult.objects.update(status="RUNNING")  # the queue never delivers it again
    store(draft.stimuli().first())
    silent_for(draft, 61)

    swept = tasks.sweep()
    deliver()

    draft.refresh_from_db()
    assert (swept, draft.state, draft.opening_at, len(files(tmp_path))) == (1, "open", None, 3)
    assert "half.mp3" not in files(tmp_path)


@pytest.mark.django_db(transaction=True)
def test_a_worker_finds_the_study_by_itself(draft):
    tasks.ask_to_open(draft)
    delivery, look_after = DBTaskResult.objects.order_by("run_after")[::-1]
    assert look_after.run_after - draft.opening_at < timedelta(seconds=61)
    DBTaskResult.objects.filter(pk=delivery.pk).update(status="RUNNING")
    DBTaskResult.objects.filter(pk=look_after.pk).update(run_after=timezone.now())
    silent_for(draft, 61)

    deliver()

    draft.refresh_from_db()
    assert draft.is_open


@pytest.mark.django_db(transaction=True)
def test_it_is_looked_after_until_it_is_open_and_no_longer(draft):
    tasks.ask_to_open(draft)
    n_asked = DBTaskResult.objects.count()
    tasks.look_after.call(draft.pk)
    assert DBTaskResult.objects.count() == n_asked + 1

    opening.open_study(draft)
    tasks.look_after.call(draft.pk)

    assert DBTaskResult.objects.count() == n_asked + 1


@pytest.mark.parametrize(("length", "silence", "swept"), [(2, 59, 0), (2, 61, 1), (120, 200, 0), (120, 241, 1)])
def test_a_worker_is_given_time_to_make_a_sound(draft, length, silence, swept):
    Study.objects.update(length_seconds=length)
    tasks.ask_again(draft)
    silent_for(draft, silence)

    assert tasks.sweep() == swept


def test_neither_a_draft_nor_an_open_study_is_swept(draft, paper_study):
    assert tasks.sweep() == 0
    assert draft.may_be_edited


def test_two_sweeps_at_once_ask_once(draft):
    tasks.ask_again(draft)
    silent_for(draft, 61)
    found_by_both = Study.objects.get()

    assert (tasks.sweep(), tasks.ask_again(found_by_both)) == (1, False)


def test_the_command_sweeps_studies_too(draft, capsys):
    tasks.ask_again(draft)
    silent_for(draft, 61)

    call_command("sweep")

    assert capsys.readouterr().out == "Put back into the queue: 1.\n"


def test_a_worker_that_was_given_up_for_dead_disturbs_nobody(draft, tmp_path, monkeypatch):
    """It wakes up while another worker makes the same sounds."""
    made = []

    def sound_of(stimulus, study):
        made.append(stimulus)
        if len(made) == 2:
            silent_for(Study.objects.get(), 61)
            tasks.sweep()
            opening.open_study(Study.objects.get())
        return b"a sound"

    monkeypatch.setattr(opening, "sound_of", sound_of)
    tasks.ask_to_open(draft)

    tasks.open_study.call(draft.pk, draft.opening_at.isoformat())

    draft.refresh_from_db()
    assert (draft.state, len(made)) == ("open", 5)
    assert files(tmp_path) == sorted(stimulus.sound.name.removeprefix("sounds/") for stimulus in draft.stimuli())
    assert sounds(draft) == [b"a sound"] * 3


def test_a_refusal_by_the_worker_is_kept_for_the_page(draft, tmp_path):
    tasks.ask_to_open(draft)
    draft.conditions.first().choose([clip_row(draft.owner, seconds=1)])

    tasks.open_study.call(draft.pk, draft.opening_at.isoformat())

    assert remains_a_draft(draft, tmp_path)
    assert draft.problem.startswith("“CNN 1” is 1.0 s long")


def test_a_closed_study_takes_in_nobody_and_stays_closed(draft):
    opening.open_study(draft)

    draft.close()
    first = draft.closed_at
    draft.close()

    assert (draft.state, draft.closed_at) == ("closed", first)


def test_a_draft_cannot_be_closed(draft):
    draft.close()

    assert (draft.state, draft.closed_at) == ("draft", None)
