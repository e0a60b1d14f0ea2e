"""Everything about a study as files: tables in CSV with their codebook, answers as they came, and a data package.

Written line by line, whatever the size. Text cells that a spreadsheet would run are guarded in the CSV; answers.jsonl
holds every answer exactly as it came.
"""

import json
from dataclasses import dataclass, field
from itertools import combinations, groupby

from django.utils import timezone

from analysis.csv_lines import csv_lines
from generation import measuring
from generation.models import Measures
from music import metrics, similarity
from study import describing, tables
from study.models import PlayEvent, Rating, Session, Trial
from study.tables import pseudonym

AT_ONCE = 2_000


@dataclass(frozen=True)
class Table:
    """A file of the package: its columns as (name, type of Frictionless, what it says), and a source of its lines."""

    name: str
    about: str
    columns: tuple[tuple[str, str, str], ...]
    lines: object = field(repr=False)  # a function of the study
    key: tuple[str, ...] = ()

    @property
    def header(self):
        return tuple(name for name, _, _ in self.columns)


SESSION = ("session", "string", "a participant's way through the study: random, and no way back to a person")
CLIP = (
    ("condition", "string", "the system that made the clip, or the real music"),
    ("stimulus", "string", "the clip, by its label in this study"),
    ("row", "string", "the row of the table that it counts in: its label, or one for several clips of real music"),
)
STUDY = ("study", "string", "the study, as in the participants' link")
POSITION = ("position", "integer", "1 is the first clip that the participant heard")
RATED = (
    STUDY,
    SESSION,
    POSITION,
    *CLIP,
    ("scale", "string", "which question was answered; study.json has its ends"),
    ("rating", "integer", "the answer"),
    ("plays", "integer", "how often the clip was started"),
    ("listened_seconds", "number", "how much of it was played, never more than the time since it was shown"),
    ("shown_at", "datetime", "when the clip was first shown, UTC"),
    ("rated_at", "datetime", "when the answer was stored, UTC"),
)
COMMENTS = (
    STUDY,
    SESSION,
    POSITION,
    *CLIP,
    ("scale", "string", "empty where all questions stood on one screen"),
    ("is_repeat", "boolean", "whether the clip came for the second time"),
    ("comment", "string", "as it was written; an apostrophe stands before what a spreadsheet would run"),
    ("rated_at", "datetime", "when it was stored, UTC"),
)
SESSIONS = (
    SESSION,
    ("place", "integer", "the place in the design that it fills"),
    ("recruiter", "string", "who sent the participant; empty where nobody did"),
    ("started_at", "datetime", "UTC"),
    ("finished_at", "datetime", "UTC; empty where it did not finish"),
    ("trials", "integer", "how many clips it was to hear, repeats included"),
    ("rated", "integer", "how many of them it rated"),
    ("replaced", "boolean", "whether somebody else got its place after it fell silent"),
)
CLIPS = (
    *CLIP,
    ("is_reference", "boolean", "whether it is real music"),
    ("source", "string", "generated, reference or uploaded"),
    ("seconds", "number", "length of the clip; the study played its beginning"),
    ("loudness_lufs", "number", "of the lossless master"),
    ("sha256_master", "string", "of the lossless master"),
    ("sha256_roll", "string", "of the roll it was played from; empty where it came as sound"),
    ("provenance", "object", "all that made it, as JSON"),
    *((f"measure_{name}", "number", says) for name, says in metrics.HEADLINE.items()),
)
SIMILARITY = (
    ("condition_a", "string", "the condition of one of two clips"),
    ("stimulus_a", "string", "its label"),
    ("condition_b", "string", "the condition of the other"),
    ("stimulus_b", "string", "its label"),
    ("similarity", "number", "how much of the one stands in the other, bar by bar and in whatever key, 0 to 1"),
)
EVENTS = (
    SESSION,
    POSITION,
    ("kind", "string", "shown, play, pause, ended or error"),
    ("at_seconds", "number", "place in the clip"),
    ("received_at", "datetime", "when the server heard of it, UTC"),
)


def sessions(study):
    """Yield a line of SESSIONS for each session that did not withdraw."""
    rated = Trial.objects.filter(session__study=study).exclude(rated_at=None).order_by("session_id")
    counts = groupby(rated.values_list("session_id", flat=True).iterator(AT_ONCE))
    n_rated = {session: sum(1 for _ in trials) for session, trials in counts}
    found = Session.objects.taking_part().filter(study=study).order_by("id")
    names = ("id", "code", "number", "recruiter", "started_at", "finished_at", "n_trials", "is_replaced")
    for pk, code, number, recruiter, started, finished, n_trials, is_replaced in found.values_list(*names).iterator(
        AT_ONCE
    ):
        yield (
            *(pseudonym(code), number, recruiter, started, finished, n_trials, n_rated.get(pk, 0)),
            _boolean(is_replaced),
        )


def clips(study):
    """Yield a line of CLIPS for each clip, in the study's order."""
    figures = {one.clip_id: one.found["figures"] for one in _measures(study)}
    for stimulus in study.stimuli():
        clip = stimulus.clip
        about = (stimulus.condition.name, stimulus.label, stimulus.row, _boolean(stimulus.condition.is_reference))
        if clip is None:
            yield (*about, *[None] * (len(CLIPS) - len(about)))
            continue
        sums, measured = clip.provenance.get("sha256") or {}, figures.get(clip.pk, {})
        yield (
            *about,
            *(clip.source, clip.seconds, clip.loudness_lufs, sums.get("master"), sums.get("roll")),
            json.dumps(clip.provenance, ensure_ascii=False, sort_keys=True),
            *(measured.get(name) for name in metrics.HEADLINE),
        )


def similar(study):
    """Yield a line of SIMILARITY for each two clips that were played from rolls."""
    known = {one.clip_id: measuring.fingerprints_of(one) for one in _measures(study)}
    stimuli = [stimulus for stimulus in study.stimuli() if stimulus.clip_id in known]
    alike = similarity.similarities([known[stimulus.clip_id] for stimulus in stimuli])
    for (i, one), (k, other) in combinations(enumerate(stimuli), 2):
        yield one.condition.name, one.label, other.condition.name, other.label, float(alike[i, k])


def _measures(study):
    return Measures.objects.filter(clip__stimuli__condition__study=study)


def events(study):
    """Yield a line of EVENTS for each thing that a player reported."""
    found = PlayEvent.objects.filter(trial__session__study=study).order_by("id")
    names = ("trial__session__code", "trial__position", "kind", "at_seconds", "received_at")
    for code, *others in found.values_list(*names).iterator(AT_ONCE):
        yield pseudonym(code), *others


def comments(study):
    for *others, is_repeat, comment, rated_at in tables.all_comments(study):
        yield *others, _boolean(is_repeat), comment, rated_at


def _boolean(value):
    return "true" if value else "false"


TABLES = (
    Table("ratings", "One row a rating; hidden repeats are in a table of their own.", RATED, tables.all_ratings),
    Table("repeats", "Ratings of clips that were heard a second time, unannounced.", RATED, tables.all_repeats),
    Table("comments", "What participants wrote.", COMMENTS, comments),
    Table("sessions", "One row a participant.", SESSIONS, sessions, ("session",)),
    Table("clips", "One row a clip.", CLIPS, clips, ("condition", "stimulus")),
    Table("similarity", "One row for each two clips that were played from rolls.", SIMILARITY, similar),
    Table("events", "What the player in the page reported.", EVENTS, events),
)


def write(study, folder):
    """Write the study's tables, study.json, answers.jsonl, the codebook and the data package into a folder.

    Yields the name of each file when it is written, so that whoever waits can look at other things.
    """
    for table in TABLES:
        yield _written(folder / f"{table.name}.csv", csv_lines(table.header, table.lines(study)))
    yield _written(folder / "answers.jsonl", answers(study))
    yield _written(folder / "study.json", [_study_json(study)])
    yield _written(folder / "codebook.csv", _codebook())
    yield _written(folder / "datapackage.json", [_package(study)])
    yield _written(folder / "README.txt", [_readme(study)])


def _written(path, lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
    return path.name


def answers(study):
    """Yield a line of JSON for each rated clip: every text exactly as it came."""
    rated = Rating.objects.filter(trial__session__study=study).order_by("trial__session_id", "trial__position")
    trial = ("session__code", "position", "stimulus__condition__name", "stimulus__label", "is_repeat", "comment")
    told = ("plays", "heard_seconds", "shown_at", "rated_at")
    names = ("trial_id", *(f"trial__{name}" for name in (*trial, *told)), "scale__name", "value")
    lines = rated.values_list(*names).iterator(AT_ONCE)
    for _, of_trial in groupby(lines, key=lambda line: line[0]):
        first, *others = list(of_trial)
        _, code, position, condition, stimulus, is_repeat, comment, plays, heard, shown_at, rated_at, _, _ = first
        answer = {
            "session": pseudonym(code),
            "position": position,
            "condition": condition,
            "stimulus": stimulus,
            "is_repeat": is_repeat,
            "ratings": {line[-2]: line[-1] for line in (first, *others)},
            "comment": comment,
            "plays": plays,
            "listened_seconds": heard,
            "shown_at": shown_at and shown_at.isoformat(),
            "rated_at": rated_at and rated_at.isoformat(),
        }
        yield json.dumps(answer, ensure_ascii=False) + "\n"


def _study_json(study):
    plan = json.loads(describing.plan_of(study).as_json())
    about = {
        "slug": study.slug,
        "title": study.title,
        "public_title": study.public_title,
        "state": study.state,
        "opened_at": study.opened_at and study.opened_at.isoformat(),
        "closed_at": study.closed_at and study.closed_at.isoformat(),
        "unsealed_at": study.unsealed_at and study.unsealed_at.isoformat(),
        "target_sessions": study.target_sessions,
        "near_duplicate": similarity.NEAR_DUPLICATE,
        "order": study.order,
        "seed_of_orders": str(study.seed),
        "questions": {scale.name: scale.question for scale in study.scales.all()},
    }
    return json.dumps(plan | about, ensure_ascii=False, indent=2) + "\n"


def _codebook():
    header = ("table", "column", "type", "meaning")
    return csv_lines(header, ((table.name, *column) for table in TABLES for column in table.columns))


def _package(study):
    resources = [
        {
            "name": table.name,
            "path": f"{table.name}.csv",
            "profile": "tabular-data-resource",
            "description": table.about,
            "encoding": "utf-8",
            "schema": _schema(table),
        }
        for table in TABLES
    ]
    package = {
        "profile": "tabular-data-package",
        "name": f"earmark-{study.slug}",
        "title": study.title,
        "created": timezone.now().isoformat(timespec="seconds"),
        "resources": resources,
    }
    return json.dumps(package, ensure_ascii=False, indent=2) + "\n"


def _schema(table):
    fields = [{"name": name, "type": kind, "description": about} for name, kind, about in table.columns]
    for one in fields:
        if one["type"] == "datetime":
            one["format"] = "any"
    return {"fields": fields} | ({"primaryKey": list(table.key)} if table.key else {})


def _readme(study):
    lines = [
        f"{study.title}: ratings, results and all that made them.",
        "",
        "ratings.csv         one row a rating; codebook.csv says what each column means",
        "answers.jsonl       every answer exactly as it came, comments included",
        "study.json          how the study was made, and what was settled before its ratings were seen",
        "results.json        every number, whole; tables.txt, table.csv, table.tex, table.md the tables to read",
        "figures/            SVG, PDF, PNG, and the Vega-Lite they are made from",
        "methods.txt         a paragraph for the paper",
        "analysis.R          computes the same in R, from analysed.csv",
        "",
        "python -m analysis ratings.csv --json   computes results.json again, to the last digit",
    ]
    return "\n".join(lines) + "\n"
