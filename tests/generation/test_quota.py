"""A researcher's files may take so many bytes; a word says how many are used, however many come at once."""

import threading
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from generation import quota, work
from generation.models import Checkpoint, Clip, Job, Upload

pytestmark = pytest.mark.django_db(transaction=True)


def send(client, n_bytes):
    file = SimpleUploadedFile("a.mid", bytes(n_bytes))
    return client.post("/uploads/files/", {"sent": file, "batch": uuid.uuid4(), "seconds": 30})


def test_what_a_researcher_made_and_brought_is_counted_and_nobody_elses(ada, ben, make_clip, client_of):
    clip = make_clip(ada)
    make_clip(ben)
    send(client_of(ada), 1000)

    assert quota.used_bytes(ada) == clip.master.size + 1000


def test_a_file_that_has_no_room_is_refused_with_what_is_used_and_allowed(client_of, ada, settings):
    settings.QUOTA_BYTES = 2_500_000
    client = client_of(ada)

    codes = [send(client, 1_000_000).status_code for _ in range(3)]
    said = send(client, 1_000_000).content.decode()

    assert (codes, Upload.objects.count()) == ([200, 200, 422], 2)
    assert "You use 2.0 MB of the 2.5 MB that your files may take, and this needs 1.0 MB more." in said
    assert "Your files take 2.0 MB of the 2.5 MB" in client.get("/uploads/").content.decode()


def test_very_many_small_files_take_no_more_of_the_disk_than_the_quota(client_of, ada, settings, tmp_path):
    settings.MEDIA_ROOT, settings.QUOTA_BYTES = tmp_path, 20_500
    client = client_of(ada)

    codes = [send(client, 1_000).status_code for _ in range(100)]

    assert codes == [200] * 20 + [422] * 80
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) == 20_000


def test_files_that_come_at_the_same_moment_do_not_pass_it_together(client_of, ada, settings):
    settings.QUOTA_BYTES = 2_500
    clients, codes, gate = [client_of(ada) for _ in range(8)], [], threading.Barrier(8)

    def come(client):
        gate.wait(timeout=10)
        codes.append(send(client, 1_000).status_code)
        connection.close()

    threads = [threading.Thread(target=come, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(codes) == [200] * 2 + [422] * 6
    assert quota.used_bytes(ada) == 2_000


def test_a_checkpoint_that_has_no_room_leaves_nothing(client_of, ada, checkpoint_bytes, settings):
    settings.QUOTA_BYTES = 1_000

    response = client_of(ada).post("/checkpoints/new/", {"file": SimpleUploadedFile("a.keras", checkpoint_bytes)})

    [refusal] = response.context["form"].errors["file"]
    assert refusal.startswith("a.keras: You use 0.0 MB of the 0.0 MB that your files may take")
    assert Checkpoint.objects.count() == 0


def test_clips_that_have_no_room_are_not_made_and_the_job_says_so(ada, corpus, playable, settings):
    settings.QUOTA_BYTES = 1_000
    job = Job.objects.ask_for_references(ada, corpus, playable[:1], 5)

    work.run(job.pk)

    job.refresh_from_db()
    assert (job.state, Clip.objects.count()) == ("failed", 0)
    assert "You use 0.0 MB of the 0.0 MB that your files may take" in job.message


def test_a_table_of_ratings_needs_room_too(client_of, ada, settings):
    settings.QUOTA_BYTES = 10
    table = SimpleUploadedFile("ratings.csv", b"session,condition,stimulus,rating\n1,A,x,5\n")

    response = client_of(ada).post("/studies/import/", {"file": table})

    assert (response.status_code, Upload.objects.count()) == (422, 0)
    assert response.context["form"].errors["file"][0].startswith("You use 0.0 MB of the 0.0 MB")
