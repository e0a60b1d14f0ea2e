"""Ratings that were collected elsewhere become a closed study of their own, on which all analysis works.

A table has one row a rating. It is checked as a whole before a row is written, and comes in whole or not at all.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify

from accounts.models import Change
from analysis.csv_lines import bare
from music.refusal import Refusal, is_plain
from study.models import Condition, Rating, Scale, Session, Stimulus, Study, Trial, new_code
from study.recounting import recount

NEEDED = ("session", "condition", "stimulus", "rating")
OPTIONAL = ("row", "scale", "position", "plays", "listened_seconds", "shown_at", "rated_at")
KNOWN = (*NEEDED, *OPTIONAL)
# What others call our columns, for a first guess.
ALIKE = {
    "session": ("rater", "participant", "listener", "subject", "person", "user"),
    "condition": ("system", "model", "group", "method"),
    "stimulus": ("item", "clip", "trial", "file", "sample", "sound"),
    "rating": ("score", "value", "answer", "response"),
    "row": ("table_row", "label"),
    "scale": ("question", "aspect", "attribute"),
    "position": ("order", "presentation_order"),
    "rated_at": ("answered_at", "time", "timestamp"),
}
MOST_ROWS = 100_000
LONGEST = {"session": 200, "condition": 80, "stimulus": 100, "row": 100, "scale": 100}
WHOLE = re.compile(r"(-?[0-9]{1,4})(?:\.0+)?", re.ASCII)
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Plan:
    """How a table is to be read. columns: {ours: theirs}; low, high: the ends of its scale."""

    title: str
    columns: dict
    low: int = 1
    high: int = 10


@dataclass
class Line:
    """One rating of the table."""

    number: int  # of its line in the file
    session: str
    condition: str
    stimulus: str
    rating: int
    row: str
    scale: str = ""
    position: int | None = None
    heard: dict = field(default_factory=dict)


def guessed(header):
    """Return {ours: theirs} for the columns whose names say what they are."""
    by_name = {name.lower(): name for name in reversed(header)}
    found = {}
    for ours in KNOWN:
        theirs = next((by_name[name] for name in (ours, *ALIKE.get(ours, ())) if name in by_name), None)
        if theirs is not None and theirs not in found.values():
            found[ours] = theirs
    return found


def import_ratings(owner, header, rows, plan):
    """Return the closed study that these ratings make. Raises Refusal, one sentence that names the line or the column."""
    lines = _lines(header, rows, plan)
    _refuse_twice(lines)
    with transaction.atomic():
        study = _Making(owner, plan, lines).study
        recount(study)
        Change.objects.note(owner, f"made it of {len(lines):,} ratings that were collected elsewhere", study)
    return study


def _lines(header, rows, plan):
    for ours, theirs in plan.columns.items():
        if ours not in KNOWN or theirs not in header:
            raise Refusal(f"There is no column {theirs} to read as {ours}.", "csv.header")
    for ours in NEEDED:
        if ours not in plan.columns:
            raise Refusal(f"No column is named to read as {ours}; the table has {', '.join(header)}.", "csv.header")
    places = {ours: header.index(theirs) for ours, theirs in plan.columns.items()}
    lines = [
        _line(number, {ours: row[place] for ours, place in places.items()}, plan)
        for number, row in enumerate(rows, start=2)
    ]
    if not lines:
        raise Refusal("The table holds no rating.", "csv.rows")
    return lines


def _line(number, cells, plan):
    texts = {name: _text(number, name, cells[name]) for name in LONGEST if name in cells}
    return Line(
        number,
        **{"row": texts["stimulus"], **texts},
        rating=_rating(number, cells["rating"], plan),
        position=_whole(number, "position", cells.get("position", ""), 1),
        heard={
            "plays": _whole(number, "plays", cells.get("plays", ""), 0) or 0,
            "heard_seconds": _seconds(number, cells.get("listened_seconds", "")),
            "shown_at": _time(number, "shown_at", cells.get("shown_at", "")),
            "rated_at": _time(number, "rated_at", cells.get("rated_at", "")),
        },
    )


def _text(number, name, cell):
    cell = bare(cell)
    if not cell:
        raise Refusal(f"Line {number}: {name} is empty.", "csv.number")
    if not is_plain(cell, LONGEST[name]):
        sentence = f"Line {number}: {name} is too long, or holds markup or characters that cannot be shown."
        raise Refusal(sentence, "text.markup")
    return cell


def _rating(number, cell, plan):
    whole = WHOLE.fullmatch(cell)
    if whole is None or not plan.low <= int(whole[1]) <= plan.high:
        sentence = f"Line {number}: the rating {cell[:40]!a} is not a whole number from {plan.low} to {plan.high}."
        raise Refusal(sentence, "csv.number")
    return int(whole[1])


def _whole(number, name, cell, least):
    if not cell:
        return None
    if not re.fullmatch(r"[0-9]{1,4}", cell, re.ASCII) or int(cell) < least:
        raise Refusal(f"Line {number}: {name} {cell[:40]!a} is not a whole number from {least}.", "csv.number")
    return int(cell)


def _seconds(number, cell):
    if not re.fullmatch(r"[0-9]{0,6}(\.[0-9]{0,9})?", cell, re.ASCII):
        raise Refusal(f"Line {number}: listened_seconds {cell[:40]!a} is no time.", "csv.number")
    return float(cell) if cell.strip(".") else 0.0


def _time(number, name, cell):
    if not cell:
        return None
    try:
        time = parse_datetime(cell)
    except ValueError:
        time = None
    if time is None:
        raise Refusal(
            f"Line {number}: {name} {cell[:40]!a} is not a time as in 2026-01-31T12:00:00+00:00.", "csv.number"
        )
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _refuse_twice(lines):
    """One session rates a stimulus once on a scale, and a stimulus has one row of the table."""
    rated, rows = {}, {}
    for line in lines:
        first = rated.setdefault((line.session, line.condition, line.stimulus, line.scale), line.number)
        if first != line.number:
            sentence = f"Line {line.number}: {line.session} has rated {line.stimulus} before, on line {first}."
            raise Refusal(sentence, "csv.duplicate")
        if rows.setdefault((line.condition, line.stimulus), line.row) != line.row:
            raise Refusal(f"Line {line.number}: {line.stimulus} stands in another row than before.", "csv.duplicate")


class _Making:
    """The rows of the study, each kind once and in the order in which they refer to one another."""

    def __init__(self, owner, plan, lines):
        self.lines, self.now = lines, timezone.now()
        self.study = self._made_study(owner, plan)
        self.scales = self._made_scales(plan)
        self.stimuli = self._made_stimuli()
        self.sessions = self._made_sessions()
        self.trials = self._made_trials()
        Rating.objects.bulk_create(
            (
                Rating(
                    trial=self.trials[line.session, line.condition, line.stimulus],
                    scale=self.scales[line.scale],
                    value=line.rating,
                )
                for line in self.lines
            ),
            batch_size=ROWS_AT_ONCE,
        )

    def _made_study(self, owner, plan):
        times = [line.heard["rated_at"] for line in self.lines if line.heard["rated_at"]]
        return Study.objects.create(
            owner=owner,
            title=plan.title,
            state=Study.State.CLOSED,
            opened_at=min(times, default=self.now),
            closed_at=max(times, default=self.now),
        )

    def _made_scales(self, plan):
        scales = {}
        for place, name in enumerate(dict.fromkeys(line.scale for line in self.lines), start=1):
            scale = Scale(study=self.study, low=plan.low, high=plan.high, position=place)
            if name:
                taken = {other.name for other in scales.values()}
                slug = slugify(name)[:36] or "scale"
                scale.name = slug if slug not in taken else f"{slug}-{place}"
                scale.question, scale.low_label, scale.high_label = name, "", ""
            scale.save()
            scales[name] = scale
        return scales

    def _made_stimuli(self):
        """Real music, several clips of which share a row, comes first; then everything by name."""
        rows = {(line.condition, line.stimulus): line.row for line in self.lines}
        shares = {condition for condition, row in rows_shared(rows)}
        names = sorted({condition for condition, _ in rows}, key=lambda name: (name not in shares, natural(name)))
        conditions = {
            name: Condition.objects.create(study=self.study, name=name, position=place, is_reference=name in shares)
            for place, name in enumerate(names, start=1)
        }
        ordered = sorted(rows, key=lambda key: (natural(rows[key]), natural(key[1])))
        stimuli = [
            Stimulus(condition=conditions[key[0]], label=key[1], row=rows[key], position=place)
            for place, key in enumerate(ordered, start=1)
        ]
        return dict(zip(ordered, Stimulus.objects.bulk_create(stimuli), strict=True))

    def _made_sessions(self):
        n_trials = {}
        for line in self.lines:
            n_trials.setdefault(line.session, set()).add((line.condition, line.stimulus))
        sessions = [
            Session(study=self.study, code=new_code(), seed=0, number=place, n_trials=len(rated), finished_at=self.now)
            for place, rated in enumerate(n_trials.values())
        ]
        return dict(zip(n_trials, Session.objects.bulk_create(sessions, batch_size=ROWS_AT_ONCE), strict=True))

    def _made_trials(self):
        """A stimulus that was rated on several scales was one trial."""
        first = {}
        for line in self.lines:
            first.setdefault((line.session, line.condition, line.stimulus), line)
        positions = _positions(first)
        trials = [
            Trial(
                session=self.sessions[line.session],
                stimulus=self.stimuli[line.condition, line.stimulus],
                position=positions[key],
                **{**line.heard, "rated_at": line.heard["rated_at"] or self.now},
            )
            for key, line in first.items()
        ]
        return dict(zip(first, Trial.objects.bulk_create(trials, batch_size=ROWS_AT_ONCE), strict=True))


def rows_shared(rows):
    """Return the (condition, row) pairs that several stimuli have. rows: {(condition, stimulus): row}"""
    seen, shared = set(), set()
    for (condition, _), row in rows.items():
        (shared if (condition, row) in seen else seen).add((condition, row))
    return shared


def natural(name):
    """Sort "CNN 10" after "CNN 9"."""
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name) if part]


def _positions(first):
    """Return each trial's position: as the table says where that numbers a session's trials, else as they came."""
    by_session = {}
    for key, line in first.items():
        by_session.setdefault(line.session, []).append((key, line.position))
    positions = {}
    for trials in by_session.values():
        said = [position for _, position in trials]
        if None in said or len(set(said)) < len(said):
            said = list(range(1, len(trials) + 1))
        positions |= {key: place for (key, _), place in zip(trials, said, strict=True)}
    return positions
