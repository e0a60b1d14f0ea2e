from django.urls import path

from generation import archiving, measured_pages, receiving, runs, views
from generation.models import Checkpoint, Clip


def archive_of(kind, model):
    about = {"model": model}
    page = f"{kind}s/<uuid:id>"
    return [
        path(f"{page}/archive/", archiving.archive, about, name=f"archive_{kind}"),
        path(f"{page}/unarchive/", archiving.archive, {**about, "is_archived": False}, name=f"unarchive_{kind}"),
        path(f"{page}/delete/", archiving.delete, about, name=f"delete_{kind}"),
    ]


app_name = "generation"
urlpatterns = [
    path("checkpoints/", views.checkpoints, name="checkpoints"),
    path("checkpoints/new/", views.new_checkpoint, name="new_checkpoint"),
    path("checkpoints/<uuid:id>/", views.checkpoint, name="checkpoint"),
    path("checkpoints/<uuid:id>/loss.svg", views.checkpoint_loss, name="checkpoint_loss"),
    *archive_of("checkpoint", Checkpoint),
    *archive_of("clip", Clip),
    path("checkpoints/<uuid:id>/sharing/", views.share, {"model": Checkpoint}, name="share_checkpoint"),
    path(
        "checkpoints/<uuid:id>/sharing/<int:pk>/end/",
        views.end_share,
        {"model": Checkpoint},
        name="end_share_of_checkpoint",
    ),
    path("uploads/", receiving.uploads, name="uploads"),
    path("uploads/files/", receiving.receive, name="receive"),
    path("uploads/<uuid:batch>/", receiving.batch, name="batch"),
    path("uploads/<uuid:batch>/rows/", receiving.batch_rows, name="batch_rows"),
    path("uploads/<uuid:batch>/read/", receiving.read, name="read"),
    path("jobs/", views.jobs, name="jobs"),
    path("jobs/<uuid:id>/", views.job, name="job"),
    path("jobs/<uuid:id>/progress/", views.job_progress, name="job_progress"),
    path("jobs/<uuid:id>/clips/", views.job_clips, name="job_clips"),
    path("jobs/<uuid:id>/cancel/", views.cancel_job, name="cancel_job"),
    path("clips/", views.clips, name="clips"),
    path("clips/<uuid:id>/", views.clip, name="clip"),
    path("clips/<uuid:id>/roll.svg", views.clip_picture, name="clip_picture"),
    path("clips/<uuid:id>/sound.flac", views.clip_sound, name="clip_sound"),
    path("clips/<uuid:id>/neighbours/<int:place>/roll.svg", measured_pages.neighbour_picture, name="neighbour_picture"),
    path("clips/<uuid:id>/neighbours/<int:place>/sound.mp3", measured_pages.neighbour_sound, name="neighbour_sound"),
    path("clips/<uuid:id>/roll.npz", views.clip_roll, name="clip_roll"),
    path("clips/<uuid:id>/sharing/", views.share, {"model": Clip}, name="share_clip"),
    path("clips/<uuid:id>/sharing/<int:pk>/end/", views.end_share, {"model": Clip}, name="end_share_of_clip"),
    path("runs/", runs.runs, name="runs"),
    path("runs/new/", runs.new_run, name="new_run"),
    path("runs/new/expected/", runs.expected, name="expected"),
    path("runs/<uuid:id>/", runs.run, name="run"),
    path("runs/<uuid:id>/progress/", runs.run_progress, name="run_progress"),
    path("runs/<uuid:id>/epochs/", runs.run_epochs, name="run_epochs"),
    path("runs/<uuid:id>/resume/", runs.resume_run, name="resume_run"),
    path("runs/<uuid:id>/samples/", runs.sample_run, name="sample_run"),
    path("jobs/<uuid:id>/sample/", runs.sample, name="sample"),
    path("runs/<uuid:id>/loss.svg", runs.run_loss, name="run_loss"),
    path("corpora/", views.corpora, name="corpora"),
    path("corpora/<uuid:id>/", views.corpus, name="corpus"),
    path("corpora/<uuid:id>/references/", views.references, name="references"),
]
