"""A clip is made again from its provenance alone: the same roll and the same sound, or a word about why not."""

import io

import pytest
from django.core.management import CommandError, call_command

from generation import work
from generation.models import Clip, Job
from music import lpd, midi, pianoroll
from tests.generation.test_bringing import bring
from tests.generation.test_storing import files

__all__ = ["bring"]
pytestmark = pytest.mark.django_db


def remake(clip):
    """Return (exit code, lines)."""
    said = io.StringIO()
    try:
        call_command("remake", str(clip.pk), stdout=said)
    except SystemExit as end:
        return end.code, said.getvalue().splitlines()
    return 0, said.getvalue().splitlines()


@pytest.fixture
def reference(ada, corpus, playable):
    job = Job.objects.ask_for_references(ada, corpus, playable[:1], 10)
    work.run(job.pk)
    return job.clips.get()


SAME = (0, ["The roll is identical.", "The sound is identical."])


@pytest.mark.django_db(transaction=True)
def test_a_sampled_clip_is_made_again_from_its_checkpoint_and_seed(job):
    job.settings |= {"top_p": 0.9, "settings": {"min_note_beats": 1.0}}
    job.save()
    work.run(job.pk)
    second, before = job.clips.get(index=1), files()

    assert remake(second) == SAME
    assert (files(), Clip.objects.count(), Job.objects.count()) == (before, 2, 1)

    second.provenance["sampling"]["settings"]["min_note_beats"] = 0.25
    second.save()
    assert remake(second) == (1, ["The roll is different.", "The sound is different."])


def test_a_reference_is_made_again_from_its_piece(reference):
    assert remake(reference) == SAME


def test_what_was_another_version_is_named(reference):
    reference.provenance["versions"]["numpy"] = "1.0"
    reference.provenance["renderer"]["soundfont"] = "Other.sf2"
    reference.save()

    lines = remake(reference)[1][2:]

    assert [line.rsplit(" was ", 1)[0] for line in lines] == [
        f"Other than when it was made: {name}" for name in ("numpy", "soundfont")
    ]


@pytest.fixture
def brought(bring):
    # Struck again at once, and held: what LPD's cells say less finely than MIDI.
    bring(piece__mid=midi.write(pianoroll.roll_of([(0, 24, 1, 60, 90), (24, 96, 1, 60, 90), (0, 30, 0, 36, 90)], 96)))
    return Clip.objects.get()


def test_a_roll_that_was_brought_is_played_again_from_what_is_kept_of_it(brought):
    code, lines = remake(brought)

    assert (code, lines[0]) == (0, "It was brought as a file: its sound was made again, from the roll that is kept.")
    assert lines[1:] == SAME[1]


def test_a_roll_that_was_brought_and_is_another_now_is_told(brought):
    lpd.write(brought.roll.path, pianoroll.roll_of([(0, 96, 1, 61, 90)], 96))

    assert remake(brought)[1][1:] == ["The roll is different.", "The sound is different."]
    brought.roll.storage.delete(brought.roll.name)
    with pytest.raises(CommandError, match="Its roll is gone from the storage"):
        remake(brought)


def test_what_was_brought_as_sound_cannot_be_made_again(ada, make_clip):
    with pytest.raises(CommandError, match="It was brought as sound: there is nothing that it could be made from"):
        remake(make_clip(ada, source=Clip.Source.UPLOADED))


def test_weights_that_were_not_kept_make_nothing_again(ada, make_clip):
    made = {"index": 0, "seed": 1, "sampling": {"seconds": 5, "temperature": 1.0}, "checkpoint": {"sha256": "0" * 64}}

    with pytest.raises(CommandError, match="The weights that it was sampled from were not kept"):
        remake(make_clip(ada, provenance=made))


@pytest.mark.parametrize("id", ["7", "6c7e0f4e-3a5b-4c1c-9b54-0f2f9b1f0b7e", "x"])
def test_an_unknown_clip_is_named(db, id):
    with pytest.raises(CommandError, match=f"There is no clip {id}."):
        call_command("remake", id)
