"""All of a site goes into one file and comes back out of it, or nothing is touched and one sentence says why."""

import io
import json
import os
import tarfile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from generation import tidying
from generation.models import Corpus, TrainingRun
from study import backups, restoring, snapshots
from study.models import Rating, Stimulus, Study

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(settings, tmp_path, make_study, listener_of, ada):
    """A site with one rated study, one corpus and one run."""
    settings.DATA_DIR, settings.MEDIA_ROOT = tmp_path / "data", tmp_path / "data" / "media"
    settings.CORPUS_DIR, settings.RUN_DIR = tmp_path / "data" / "corpora", tmp_path / "data" / "runs"
    listener = listener_of(make_study({"Secret CNN": 2}))
    listener.begin()
    listener.rate(overall=7)
    corpus = Corpus.objects.create(owner=ada, name="Ten", folder="ten", checksum="c0ffee")
    run = TrainingRun.objects.create(owner=ada, family="rnn")
    for path in (corpus.path / "pieces.npz", run.folder / "checkpoint.run" / "last.npz"):
        path.parent.mkdir(parents=True)
        path.write_bytes(path.name.encode())
    return tmp_path / "data"


@pytest.fixture
def backup(site, tmp_path):
    call_command("backup", str(tmp_path / "site.tar"), stdout=io.StringIO())
    return tmp_path / "site.tar"


def told(command, *arguments):
    out = io.StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


def refusal_of(*arguments):
    with pytest.raises(CommandError) as refusal:
        told("restore", *arguments)
    return str(refusal.value)


def held(folder):
    """Every file below a folder with its bytes, and the ratings."""
    ratings = list(Rating.objects.values_list("trial__session__code", "trial__position", "value"))
    kinds = ("media", "corpora", "runs")
    files = [path for kind in kinds for path in (folder / kind).rglob("*") if path.is_file()]
    return ratings, {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rewritten(backup, name, change):
    """The same backup, one of its files changed: change(bytes) -> bytes, or None for none."""
    altered = backup.with_name("altered.tar")
    with tarfile.open(backup) as source, tarfile.open(altered, "w") as target:
        for entry in source:
            content = source.extractfile(entry).read()
            if entry.name == name and (content := change(content)) is None:
                continue
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return altered


def with_manifest(backup, **changes):
    return rewritten(backup, "manifest.json", lambda text: json.dumps(json.loads(text) | changes).encode())


def test_a_backup_holds_what_rows_name_and_nothing_else(site, backup):
    default_storage.save("nobodys.mp3", ContentFile(b"no row names it"))
    told("backup", backup)

    with tarfile.open(backup) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json"))

    sounds = [f"media/{name}" for name in Stimulus.objects.values_list("sound", flat=True)]
    run = TrainingRun.objects.get()
    kept = ["corpora/ten/pieces.npz", f"runs/{run.pk}/checkpoint.run/last.npz", *sounds]
    assert (names[0], sorted(names[1:-1]), names[-1]) == ("database", sorted(kept), "manifest.json")
    assert (manifest["database"], manifest["rows"]["study_rating"]) == ("sqlite", 1)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert not list(site.glob("work/*"))


def test_what_is_restored_is_what_was_there(site, backup):
    before = held(site)
    Rating.objects.all().delete()
    Study.objects.update(title="Changed since")
    default_storage.save("later.mp3", ContentFile(b"made since"))
    (site / "corpora" / "ten" / "pieces.npz").write_bytes(b"changed since")

    said = told("restore", backup, "--overwrite")

    assert held(site) == before
    assert len(before[0]) == 1
    assert len(before[1]) == 4
    assert Study.objects.get().title == "Secret title"
    assert said.startswith("The site is what it was at 20")
    assert said.endswith(" rows, 4 files.\n")
    assert not list(site.glob("work/*"))


def test_a_site_that_holds_something_is_not_overwritten_unasked(site, backup):
    before = held(site)

    assert refusal_of(backup).startswith("This site holds 1 user, ")
    assert refusal_of(backup).endswith(" already: --overwrite puts the backup in their place.")
    assert held(site) == before


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda backup: rewritten(backup, "database", lambda old: old[:-1] + b"!"), "database is not what"),
        (lambda backup: rewritten(backup, "corpora/ten/pieces.npz", lambda _: None), "pieces.npz is not what"),
        (lambda backup: rewritten(backup, "manifest.json", lambda _: None), "breaks off before its manifest"),
        (lambda backup: rewritten(backup, "manifest.json", lambda _: b"[]"), "is not a backup of Earmark"),
        (lambda backup: with_manifest(backup, format=2), "has the layout 2, this Earmark reads 1."),
        (lambda backup: with_manifest(backup, database="postgresql"), "holds a PostgreSQL database; DATABASE_URL names SQLite."),
        (lambda backup: with_manifest(backup, migrations=[["study", "9999_new"]]), "a newer Earmark (0.1.0), which knows study.9999_new."),
        (lambda backup: with_manifest(backup, rows={"study_rating": 2}), "does not hold the rows that its manifest lists."),
    ],
)  # fmt: skip
def test_a_backup_that_is_damaged_or_does_not_fit_touches_nothing(site, backup, damage, sentence):
    before = held(site)

    refusal = refusal_of(damage(backup), "--overwrite")

    assert sentence in refusal
    assert held(site) == before
    assert not list(site.glob("work/*"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_backup_that_breaks_off_touches_nothing(site, backup, share):
    before, whole = held(site), backup.read_bytes()
    backup.write_bytes(whole[: int(len(whole) * share)])

    assert "break" in refusal_of(backup, "--overwrite") or "cannot be unpacked" in refusal_of(backup, "--overwrite")
    assert held(site) == before


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "media/../../escaped"])
def test_a_name_that_leads_out_of_the_folder_is_refused(site, backup, name):
    with tarfile.open(backup, "a") as archive:
        archive.addfile(tarfile.TarInfo(name))

    assert refusal_of(backup, "--overwrite") == f"The backup holds {name}, which no backup of Earmark does."


def test_what_is_no_backup_is_named(site, tmp_path):
    (tmp_path / "notes.txt").write_text("no archive")

    assert refusal_of(tmp_path / "notes.txt", "--overwrite").endswith(
        "notes.txt is not a backup of Earmark, or breaks off."
    )
    assert "nowhere.tar is not there" in refusal_of(tmp_path / "nowhere.tar", "--overwrite")


def test_what_goes_after_the_moment_makes_the_backup_begin_anew(site, tmp_path, monkeypatch):
    going, count = Stimulus.objects.first(), snapshots.rows_of

    def then_it_goes(ask):
        counts = count(ask)
        default_storage.delete(going.sound.name)
        Stimulus.objects.filter(pk=going.pk).update(sound="")
        return counts

    monkeypatch.setattr(snapshots, "rows_of", then_it_goes)

    manifest, gone = backups.back_up(tmp_path / "site.tar")

    assert gone == []
    assert sum(name.startswith("media/") for name in manifest["files"]) == 1


def test_a_worker_does_not_sweep_a_backup_that_takes_hours(site, tmp_path, monkeypatch):
    read = tarfile.TarFile.addfile

    def slowly(archive, *arguments):
        tidying.sweep()
        read(archive, *arguments)
        for path in list((site / "work").rglob("*")):
            os.utime(path, (0, 0))

    monkeypatch.setattr(tarfile.TarFile, "addfile", slowly)

    manifest, gone = backups.back_up(tmp_path / "site.tar")

    assert (len(manifest["files"]), gone) == (5, [])


def test_files_that_are_gone_are_named_and_the_rest_is_kept(site, tmp_path):
    sound = Stimulus.objects.first().sound
    sound.storage.delete(sound.name)

    said = told("backup", tmp_path / "site.tar")

    assert said.endswith(f"1 files that rows name were gone already, media/{sound.name} first.\n")
    with tarfile.open(tmp_path / "site.tar") as archive:
        assert archive.getnames()[-1] == "manifest.json"


def test_a_backup_that_fails_leaves_the_last_one_as_it_was(site, backup, monkeypatch):
    before = backup.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_add_manifest", full)

    with pytest.raises(CommandError, match=r"site.tar could not be written: No space left on device\."):
        told("backup", backup)
    assert backup.read_bytes() == before
    assert list(backup.parent.glob("*.part")) == []


def test_a_database_that_cannot_be_put_back_leaves_the_files_as_they_were(site, backup, monkeypatch):
    (site / "corpora" / "ten" / "pieces.npz").write_bytes(b"changed since")
    before = held(site)

    def refuse(*args):
        raise snapshots.SnapshotError("The database's user may not put tables aside.")

    monkeypatch.setattr(restoring.snapshots, "put_back", refuse)

    assert refusal_of(backup, "--overwrite") == "The database's user may not put tables aside."
    assert held(site) == before
