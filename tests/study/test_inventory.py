"""What lies in the storage is compared with what rows say; each fault is one sentence, and most can be mended."""

import io
import os
import shutil
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command

from generation import corpora
from study import opening
from study.models import Stimulus, ValueCount
from tests.console import address, text
from tests.generation.conftest import packed_folder, source

__all__ = ["packed_folder", "source"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def study(draft):
    opening.open_study(draft)
    return draft


def check(*options):
    """Return (exit code, lines) of the command."""
    said = io.StringIO()
    try:
        call_command("check_media", *options, stdout=said)
    except SystemExit as end:
        return end.code, said.getvalue().splitlines()
    return 0, said.getvalue().splitlines()


ALL_IS_WELL = (0, ["Rows, files and counts agree."])


def test_where_all_agrees_it_says_so(study):
    assert check() == ALL_IS_WELL


def test_a_sound_that_is_gone_or_cut_short_is_named_and_made_again_the_same(study):
    gone, short = study.stimuli()[:2]
    was = {one.pk: Path(one.sound.path).read_bytes() for one in (gone, short)}
    Path(gone.sound.path).unlink()
    Path(short.sound.path).write_bytes(was[short.pk][:1000])
    Stimulus.objects.filter(pk=short.pk).update(sound_sha256="")  # as of a study that was opened before they were noted

    code, lines = check()

    assert (code, sorted(lines)) == (
        1,
        sorted(
            [
                f"The sound of stimulus “{gone}” ({gone.sound.name}) is gone.",
                f"The sound of stimulus “{short}” ({short.sound.name}) is not what was stored.",
            ]
        ),
    )
    assert [line.endswith(" Mended.") for line in check("--mend")[1][:2]] == [True, True]
    assert check() == ALL_IS_WELL
    assert {one.pk: Path(one.sound.path).read_bytes() for one in (gone, short)} == was


def test_a_bit_that_was_turned_over_in_a_sound_is_noticed_and_mended(study):
    stimulus = study.stimuli()[0]
    was = Path(stimulus.sound.path).read_bytes()
    Path(stimulus.sound.path).write_bytes(was[:500] + bytes([was[500] ^ 1]) + was[501:])

    assert check() == (1, [f"The sound of stimulus “{stimulus}” ({stimulus.sound.name}) is not what was stored."])
    check("--mend")
    assert check() == ALL_IS_WELL
    assert Path(stimulus.sound.path).read_bytes() == was


def test_a_clip_that_changed_is_named_and_cannot_be_mended_from_nothing(study, make_clip, ada):
    clip = make_clip(ada, title="Changed", provenance={"sha256": {"master": "0" * 64}})

    sentence = f"The master of clip “Changed” ({clip.master.name}) is not what was stored."
    assert check() == (1, [sentence])
    assert check("--mend") == (
        1,
        [f"{sentence} It cannot be mended from what is here; restore it from a backup."],
    )


def test_a_corpus_that_changed_or_is_gone_is_named(ada, packed_folder, settings, tmp_path):
    settings.CORPUS_DIR = tmp_path
    shutil.copytree(packed_folder, tmp_path / "ten")
    corpora.register(ada, "Ten pieces", tmp_path / "ten")
    assert check() == ALL_IS_WELL
    notes = tmp_path / "ten" / "notes.npy"

    with notes.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read()
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    changed = check("--mend")
    notes.unlink()
    gone = check()

    assert changed == (
        1,
        [
            "The corpus “Ten pieces” (ten) is not what was stored. "
            "It cannot be mended from what is here; restore it from a backup."
        ],
    )
    assert gone == (1, ["The corpus “Ten pieces” (ten) is gone, or not whole."])


def test_an_old_file_without_a_row_is_named_and_a_new_one_is_not_yet(study):
    old, _ = (default_storage.save(f"sounds/{name}.mp3", ContentFile(b"x")) for name in ("old", "new"))
    then = time.time() - 7200
    os.utime(default_storage.path(old), (then, then))

    assert check() == (1, ["The file sounds/old.mp3 belongs to nothing."])
    assert check("--mend")[0] == 0
    assert (default_storage.exists(old), check()) == (False, ALL_IS_WELL)


def test_counts_that_are_not_those_of_the_ratings_are_named_and_counted_anew(paper_study):
    Stimulus.objects.update(sound="")  # its clips are rows alone
    assert check() == ALL_IS_WELL
    right = set(ValueCount.objects.values_list("stimulus", "value", "n"))
    ValueCount.objects.filter(value=9).update(n=7)

    sentence = "The counts of the study “The report” are not those of its ratings."
    assert check() == (1, [sentence])
    assert check("--mend")[1][0] == f"{sentence} Mended."
    assert set(ValueCount.objects.values_list("stimulus", "value", "n")) == right


def test_a_sound_that_is_gone_is_no_server_error_and_the_researcher_sees_it(study, client, client_of, ada):
    session = study.admit()
    trial = session.next_trial()
    Path(trial.stimulus.sound.path).unlink()

    sound = client.get(f"/sound/{trial.address}/")
    step = client.get(f"/t/{session.code}/")
    page = client_of(ada).get(address("study", study))

    assert (sound.status_code, step.status_code) == (503, 200)
    assert "1 of this study's sounds is not in the storage" in text(page).replace("&#x27;", "'")
