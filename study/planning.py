"""Before the first participant: what a design would find, and whether its intervals would cover what they say."""

from dataclasses import dataclass

from django import forms
from django.db import transaction
from django.urls import reverse

from generation import child
from generation.models import Job
from generation.watching import watched
from study.models import Analysis, Study

N_STUDIES = 400
LONGEST_SECONDS = 3600
MOST_CLIPS, MOST_CONDITIONS, MOST_SESSIONS = 200, 20, 1000
# The most ratings of one simulated study: 400 of these take minutes.
MOST_RATINGS = 20_000
TYPICAL, CAUTIOUS, OWN = "typical", "cautious", "own"
VARIANCES = ("session", "stimulus", "residual", "taste")


@dataclass(frozen=True)
class Wish:
    """A design to look at: conditions have so many clips each, spread is (session, stimulus, residual, taste)."""

    n_sessions: int
    n_clips: tuple[int, ...]
    heard: int | None
    difference: float
    spread: tuple[float, float, float, float]

    @property
    def design(self):
        from analysis.planning import Design  # brings pandas along, which no other page needs

        return Design(self.n_sessions, self.n_clips, self.heard)

    @property
    def variances(self):
        from analysis.planning import Spread

        return Spread(*self.spread)


class PlanForm(forms.Form):
    n_sessions = forms.IntegerField(label="Participants", min_value=1, max_value=MOST_SESSIONS, initial=20)
    n_clips = forms.CharField(
        label="Clips of each condition",
        initial="6, 6",
        max_length=200,
        help_text="One number a condition, with commas between: the first two are compared.",
    )
    heard = forms.IntegerField(
        label="Clips that each participant hears of each condition",
        min_value=1,
        required=False,
        help_text="Leave it empty if everybody hears all of them.",
    )
    difference = forms.FloatField(
        label="Difference worth finding, in points",
        min_value=0.01,
        max_value=100,
        initial=1,
        help_text="Smaller ones matter less to you than the work it takes to find them.",
    )
    source = forms.ChoiceField(label="How ratings differ")
    session = forms.FloatField(label="between participants", min_value=0, required=False)
    stimulus = forms.FloatField(label="between clips of one condition", min_value=0, required=False)
    residual = forms.FloatField(label="in what is left", min_value=0, required=False)
    taste = forms.FloatField(label="in which condition participants like", min_value=0, required=False)

    def __init__(self, *args, researcher, **kwargs):
        super().__init__(*args, **kwargs)
        self.pilots = pilots_of(researcher)
        self.fields["source"].choices = [
            (CAUTIOUS, "as in the report, and in taste (cautious)"),
            (TYPICAL, "as in the report"),
            *((slug, f"as in “{title}”") for slug, (title, _) in self.pilots.items()),
            (OWN, "by variances of my own (points squared):"),
        ]

    def clean_n_clips(self):
        parts = self.cleaned_data["n_clips"].replace(" ", "").strip(",").split(",")
        if not all(part.isascii() and part.isdecimal() and 1 <= int(part) <= MOST_CLIPS for part in parts):
            raise forms.ValidationError(f"Write numbers from 1 to {MOST_CLIPS} with commas between, such as “4, 6, 3”.")
        if not 2 <= len(parts) <= MOST_CONDITIONS:
            raise forms.ValidationError(f"Write a number for each of 2 to {MOST_CONDITIONS} conditions.")
        return tuple(map(int, parts))

    def clean(self):
        found = super().clean()
        n_clips, heard = found.get("n_clips"), found.get("heard")
        if n_clips and heard and heard > min(n_clips):
            self.add_error("heard", f"Choose from 1 to {min(n_clips)}: a condition has no more clips.")
        if found.get("source") == OWN and not any(found.get(name) for name in VARIANCES):
            self.add_error("residual", "Say how much ratings vary, such as 1.4.")
        return found

    def wish(self):
        found = self.cleaned_data
        names = ("n_sessions", "n_clips", "heard", "difference")
        return Wish(*(found[name] for name in names), spread=self._spread())

    def _spread(self):
        source = self.cleaned_data["source"]
        if source == OWN:
            return tuple(self.cleaned_data[name] or 0.0 for name in VARIANCES)
        if source in self.pilots:
            return self.pilots[source][1]
        from analysis import planning

        known = {TYPICAL: planning.REPORT, CAUTIOUS: planning.CAUTIOUS}[source]
        return tuple(getattr(known, name) for name in VARIANCES)


def pilots_of(researcher):
    """Return {slug: (title, spread)} of the studies whose variances this researcher may use: they tell no mean."""
    found = {}
    done = Analysis.objects.filter(study__in=Study.objects.visible_to(researcher)).exclude(results=None)
    for analysis in done.select_related("study").order_by("study", "-id"):
        spread = analysis.parts[0].get("spread") if analysis.parts else None
        if spread and analysis.study.slug not in found and not analysis.study.hides_labels:
            found[analysis.study.slug] = (analysis.study.title, tuple(spread[name] for name in VARIANCES))
    return found


def power_of(wish):
    """Return what the design would find: {power, needed, figure}."""
    from analysis import planning
    from analysis.power_figure import power_figure

    return {
        "power": planning.power(wish.design, wish.variances, wish.difference),
        "needed": planning.clips_needed(wish.variances, wish.difference, wish.n_sessions),
        "figure": power_figure(wish.variances, wish.difference),
    }


def n_ratings(wish):
    return sum(wish.n_sessions * (wish.heard or clips) for clips in wish.n_clips)


@transaction.atomic
def ask_for_coverage(wish, researcher):
    """Have studies of this design simulated. Returns the job."""
    clips = ", ".join(map(str, wish.n_clips))
    title = f"{wish.n_sessions} participants, {clips} clips"
    wishes = {"sessions": wish.n_sessions, "clips": wish.n_clips, "heard": wish.heard, "spread": wish.spread}
    job = Job.objects.plan_other(
        researcher, Job.Kind.COVERAGE, N_STUDIES, title, reverse("study:plan"), n_studies=N_STUDIES, **wishes
    )
    return job.enqueue()


def simulate(job, folder):
    """Do a job of the kind "coverage", yielding it whenever it has come further."""
    asked = child.events("analysis.simulate", *_arguments(job.settings), folder=folder, longest_seconds=LONGEST_SECONDS)
    for event in watched(job, asked, "simulating"):
        if event is not None and event["event"] == "progress":
            job.keep(n_done=int(event["done"]), seconds_left=float(event["seconds_left"]))
        elif event is not None:
            job.keep(settings=job.settings | {"shares": event["shares"]})
        yield job


def _arguments(wishes):
    yield from ("--sessions", wishes["sessions"], "--clips", ",".join(map(str, wishes["clips"])))
    if wishes["heard"]:
        yield from ("--heard", wishes["heard"])
    yield from ("--spread", ",".join(map(repr, wishes["spread"])), "--studies", wishes["n_studies"], "--events")
