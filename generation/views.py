from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import FileResponse, Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import sharing, sharing_pages
from accounts.models import Change, kind_of
from generation import facts, measured_pages, ranges, svg
from generation.archiving import wants_archive
from generation.bounded import takes_files
from generation.corpora import DEFAULT_SECONDS, why_no_opening
from generation.forms import CheckpointForm, ClipsForm, ReferencesForm
from generation.models import Checkpoint, Clip, Corpus, Job
from generation.network_picture import network_picture
from generation.receiving import waiting_for
from generation.verdict import loss_of
from music import lpd, pictures
from training.corpus import CorpusError, open_corpus

ROWS_A_PAGE = 50
PAIRS_SHOWN = 10  # pieces of both splits that are alike
PIECES_A_PAGE = 25  # each held-out one is unpacked to see whether it can be a reference


def visible(request, model, id):
    """Return what this researcher may see; anything else is not there."""
    return sharing.visible(request, model.objects.all(), pk=id)


def editable(request, model, id):
    return sharing.editable(request, model.objects.all(), pk=id)


def page_of(request, rows, size=ROWS_A_PAGE):
    return Paginator(rows, size).get_page(request.GET.get("page"))


@login_required
@require_safe
def checkpoints(request):
    seen = Q(clips__in=Clip.objects.visible_to(request.user))
    is_archive = wants_archive(request)
    rows = Checkpoint.objects.visible_to(request.user).listed(is_archive).select_related("owner")
    rows = rows.annotate(n_clips=Count("clips", filter=seen)).order_by("-created_at")
    context = {"page": page_of(request, rows), "is_archive": is_archive, "waiting": waiting_for(request.user)}
    return render(request, "generation/checkpoints.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@takes_files
def new_checkpoint(request):
    form = CheckpointForm(request.POST or None, request.FILES or None)
    accepted = form.accept(request.user) if form.is_valid() else None
    if accepted is not None:
        messages.success(request, f"“{accepted}” is here. You can ask for clips from it now.")
        return redirect("generation:checkpoint", accepted.pk)
    return render(request, "generation/new_checkpoint.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def checkpoint(request, id):
    """The card, and the form that asks for clips."""
    checkpoint = (editable if request.method == "POST" else visible)(request, Checkpoint, id)
    form = ClipsForm(request.POST or None, family=checkpoint.family)
    if form.is_valid():
        job = Job.objects.ask_for_clips(request.user, checkpoint, **form.cleaned_data)
        return redirect("generation:job", job.pk)
    context = {
        "checkpoint": checkpoint,
        "form": form,
        "facts": facts.of_checkpoint(checkpoint),
        **loss_of(facts.history(checkpoint.card), facts.baselines(checkpoint.card)),
        "network": network_picture(checkpoint.family, checkpoint.card.get("configuration")),
        "corpus_facts": facts.of_corpus_in_card(checkpoint.card),
        "corpus": corpus_of(request, checkpoint),
        "clips": listed(request, Clip.objects.filter(checkpoint=checkpoint))[:ROWS_A_PAGE],
        **measured_pages.of_clips(Clip.objects.filter(checkpoint=checkpoint).visible_to(request.user)),
        **sharing.about(request, checkpoint),
    }
    return render(request, "generation/checkpoint.html", context, status=422 if form.is_bound else 200)


def listed(request, clips):
    """Those clips that this researcher may see, as lists show them."""
    return clips.visible_to(request.user).select_related("checkpoint", "corpus", "owner")


def corpus_of(request, checkpoint):
    """Return the corpus that it was trained on, if this researcher has it here."""
    trained_on = checkpoint.card.get("corpus")
    checksum = trained_on.get("checksum") if isinstance(trained_on, dict) else None
    return Corpus.objects.visible_to(request.user).filter(checksum=checksum).first() if checksum else None


@login_required
@require_safe
def checkpoint_loss(request, id):
    card = visible(request, Checkpoint, id).card
    return loss_figure(request, facts.history(card), facts.baselines(card))


@login_required
@require_safe
def jobs(request):
    rows = Job.objects.visible_to(request.user).select_related("checkpoint", "corpus", "run__corpus")
    return render(request, "generation/jobs.html", {"page": page_of(request, rows)})


@login_required
@require_safe
def job(request, id):
    job = visible(request, Job, id)
    return render(request, "generation/job.html", {"job": job, "clips": in_order(job)})


def in_order(job):
    """The job's clips as they were made, so that those which a page shows already come first."""
    return list(job.clips.select_related("checkpoint", "corpus").order_by("created_at", "index"))


@login_required
@require_safe
def job_progress(request, id):
    return render(request, "generation/job_progress.html", {"job": visible(request, Job, id)})


@login_required
@require_safe
def job_clips(request, id):
    """Those clips that came after the ones which the page shows already."""
    job = visible(request, Job, id)
    shown = request.GET.get("shown", "")
    shown = int(shown) if shown.isascii() and shown.isdecimal() and len(shown) < 6 else 0
    return render(
        request,
        "generation/job_clips.html",
        {"job": job, "clips": in_order(job)[shown:], "shown": shown},
    )


@login_required
@require_POST
def cancel_job(request, id):
    job = editable(request, Job, id)
    if job.cancel():
        Change.objects.note(request.user, "cancelled it", job.run or job)
    else:
        messages.warning(request, "It had ended already.")
    if job.run_id:
        return redirect("generation:run", job.run_id)
    return redirect("generation:job", job.pk)


@login_required
@require_safe
def clips(request):
    is_archive = wants_archive(request)
    rows = listed(request, Clip.objects.listed(is_archive))
    context = {"page": page_of(request, rows), "is_archive": is_archive, "waiting": waiting_for(request.user)}
    return render(request, "generation/clips.html", context)


@login_required
@require_safe
def clip(request, id):
    clip = visible(request, Clip, id)
    context = {
        "clip": clip,
        "picture": picture_of(clip),
        "facts": facts.of_clip(clip),
        **measured_pages.of_clip(request, clip),
        "sees_checkpoint": Checkpoint.objects.visible_to(request.user).filter(pk=clip.checkpoint_id).exists(),
        **sharing.about(request, clip),
    }
    return render(request, "generation/clip.html", context)


def picture_of(clip, dark=False):
    """Return the clip's roll as SVG, or the empty string where there is none to draw."""
    try:
        with clip.roll.open("rb") as file:
            return pictures.piano_roll(lpd.read(file), clip.title, dark)
    except (ValueError, FileNotFoundError):
        return ""


@login_required
@require_safe
def clip_picture(request, id):
    """The roll as a picture of its own, for pages with many clips."""
    picture = picture_of(visible(request, Clip, id), svg.is_dark(request))
    if not picture:
        raise Http404("There is no roll to draw.")
    return svg.response(picture)


@login_required
@require_safe
def clip_sound(request, id):
    return ranges.respond(request, opened(visible(request, Clip, id).master), "audio/flac")


@login_required
@require_safe
def clip_roll(request, id):
    clip = visible(request, Clip, id)
    return FileResponse(opened(clip.roll), as_attachment=True, filename=f"{clip.pk}.npz")


def opened(field_file):
    """Return the stored file, open; one that is gone is not found."""
    try:
        return field_file.open("rb")
    except (ValueError, FileNotFoundError):
        raise Http404("The file is not in the storage.") from None


def loss_figure(request, history, baselines):
    if not history:
        raise Http404("There is no epoch yet.")
    return svg.response(pictures.loss_curve(history, baselines, svg.is_dark(request)))


@login_required
@require_safe
def corpora(request):
    return render(
        request, "generation/corpora.html", {"page": page_of(request, Corpus.objects.visible_to(request.user))}
    )


@login_required
@require_safe
def corpus(request, id):
    corpus = visible(request, Corpus, id)
    return render(request, "generation/corpus.html", corpus_context(request, corpus))


@login_required
@require_POST
def references(request, id):
    """Make clips of held-out pieces."""
    corpus = editable(request, Corpus, id)
    form = ReferencesForm(request.POST, pieces=opened_corpus(corpus))
    if form.is_valid():
        job = Job.objects.ask_for_references(request.user, corpus, **form.cleaned_data)
        return redirect("generation:job", job.pk)
    return render(request, "generation/corpus.html", {**corpus_context(request, corpus), "form": form}, status=422)


def opened_corpus(corpus):
    try:
        return open_corpus(corpus.path)
    except CorpusError:
        raise Http404("The corpus is not on this disk.") from None


def corpus_context(request, corpus):
    """The card, and a page of the pieces of one split; the held-out ones with what keeps them from being a reference."""
    split = "train" if request.GET.get("split") == "train" else "test"
    context = {"corpus": corpus, "facts": facts.of_corpus(corpus), "split": split}
    try:
        packed = open_corpus(corpus.path)
    except CorpusError:
        return context
    page = page_of(request, packed.of_split(split), PIECES_A_PAGE)
    page.object_list = [(index, packed.pieces[index], _obstacle(packed, index, split)) for index in page.object_list]
    return {**context, "page": page, "form": ReferencesForm(pieces=packed), "alike": _alike(corpus, packed)}


def _alike(corpus, packed):
    """The pairs across the splits that share much of their music, the most alike first; None where nobody looked."""
    pairs = corpus.card.get("near_duplicates")
    titles = {piece.md5: piece.title for piece in packed.pieces}
    return pairs and [
        pair | {split: titles.get(pair[split], pair[split]) for split in ("test", "train")}
        for pair in pairs[:PAIRS_SHOWN]
    ]


def _obstacle(packed, index, split):
    return why_no_opening(packed, index, DEFAULT_SECONDS) if split == "test" else ""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def share(request, model, id):
    thing = sharing.owned(request, model.objects.all(), pk=id)
    return sharing_pages.share(request, thing, page_of_thing(thing))


@login_required
@require_POST
def end_share(request, model, id, pk):
    thing = sharing.owned(request, model.objects.all(), pk=id)
    sharing_pages.end_share(request, thing, pk)
    return redirect(f"generation:share_{kind_of(thing)}", thing.pk)


def page_of_thing(thing):
    return reverse(f"generation:{kind_of(thing)}", args=[thing.pk])
