"""From a study's ratings to its results: asked for by a page, computed by a worker's child, kept until ratings change.

The worker writes the tables that a researcher takes away, has `python -m analysis` work on just these, and packs all of
it. So the site's numbers are the command's, and the file's are the site's.
"""

import hashlib
import json
import shutil
import zipfile

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from generation import child
from generation.models import Job
from generation.storing import stored
from generation.watching import Refused, watched
from study import takeaway
from study.models import Analysis, TotalCount, ValueCount

N_STEPS = len(takeaway.TABLES) + 7  # files, then the results, then the package
LONGEST_SECONDS = 3 * 3600  # of a million ratings it takes some minutes
LARGEST_PAGE = 16 * 2**20


def fingerprint(study):
    """Return what changes whenever the study's ratings do, or its state: a hash of both, the ratings by their counts."""
    unsealed = study.unsealed_at and study.unsealed_at.isoformat()
    digest = hashlib.sha256(f"{study.state} {unsealed}".encode())
    values = ValueCount.objects.filter(stimulus__condition__study=study, n__gt=0)
    totals = TotalCount.objects.filter(condition__study=study, n_sessions__gt=0)
    for rows in (
        values.order_by("stimulus", "scale", "value").values_list("stimulus", "scale", "value", "n"),
        totals.order_by("condition", "row", "scale", "total", "n").values_list(
            "condition", "row", "scale", "total", "n", "n_sessions"
        ),
    ):
        digest.update(repr(list(rows)).encode())
    return digest.hexdigest()


def latest(study):
    """Return the last analysis that was done, or None."""
    return study.analyses.exclude(done_at=None).select_related("job").first()


def underway(study):
    """Return the analysis that a worker is at, or that waits for one; None if there is none."""
    return study.analyses.filter(job__state__in=[Job.State.WAITING, Job.State.RUNNING]).select_related("job").first()


def ask(study, researcher):
    """Have the results computed, if nobody does already. Returns the Analysis that is underway."""
    with transaction.atomic():
        # One at a time: whoever comes second finds the first one's.
        type(study).objects.select_for_update().get(pk=study.pk)
        known = underway(study)
        if known is not None:
            return known
        link = reverse("study:results", args=[study.slug])
        job = Job.objects.plan_other(researcher, Job.Kind.ANALYSIS, N_STEPS, study.title, link)
        analysis = Analysis.objects.create(study=study, job=job, fingerprint=fingerprint(study))
        job.enqueue()
    return analysis


def work(job, folder):
    """Do a job of the kind "analysis", yielding it whenever it has come further."""
    analysis = job.analysis
    package = folder / "package"
    package.mkdir()
    # Ratings that come meanwhile make another fingerprint than the one that was noted: the page then asks once more.
    for n_done, _ in enumerate(takeaway.write(analysis.study, package), start=1):
        job.keep(n_done=n_done, stage="writing the tables")
        yield job
    asked = child.events(
        "analysis",
        package / "ratings.csv",
        "--out",
        package,
        "--events",
        folder=folder,
        longest_seconds=LONGEST_SECONDS,
    )
    for _ in watched(job, asked, "computing"):
        yield job
    page = _read(package / "page.json")
    analysis.results, analysis.figures = page["results"], page["figures"]
    analysis.methods = (package / "methods.txt").read_text(encoding="utf-8")
    (package / "page.json").unlink()
    job.keep(n_done=N_STEPS - 1, stage="packing")
    yield job
    packed = folder / "package.zip"
    for _ in _pack(package, packed):
        job.keep()
        yield job
    _store(analysis, packed)


def _read(path):
    if path.stat().st_size > LARGEST_PAGE:
        raise Refused("The results are too large to be shown on a page.")
    return json.loads(path.read_bytes())


def _pack(folder, path):
    """Pack a folder's files, and yield after each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                with (
                    file.open("rb") as source,
                    archive.open(_entry(file.relative_to(folder)), "w", force_zip64=True) as to,
                ):
                    shutil.copyfileobj(source, to, 1 << 20)
                yield


def _entry(name):
    entry = zipfile.ZipInfo(str(name), timezone.now().timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _store(analysis, packed):
    """Keep the new results and let the files of earlier ones go, which describe ratings that have changed since."""
    earlier = list(analysis.study.analyses.filter(pk__lt=analysis.pk).exclude(file=""))
    analysis.done_at, analysis.n_ratings = timezone.now(), analysis.results["about"]["ratings"]
    with stored(file=(analysis.file, packed)), transaction.atomic():
        analysis.save(update_fields=["results", "figures", "methods", "done_at", "n_ratings", "file"])
    for old in earlier:
        old.file.delete(save=False)
        Analysis.objects.filter(pk=old.pk).update(file="", results=None, figures=None)
