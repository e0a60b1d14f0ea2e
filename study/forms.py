"""The edge for what a researcher types about a study."""

import math
import re
from itertools import groupby

from django import forms
from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from analysis.rules import OF_MUSHRA, RULES
from generation.models import Clip
from study import opening, recruiting
from study.models import Condition, Scale, Stimulus, Study

FEWEST_ANSWERS, MOST_ANSWERS = 2, 100
LOWEST_ANSWER, HIGHEST_ANSWER = -100, 100
MOST_CLIPS = 1000  # of one session: far beyond anybody's patience
SHORTEST_SECONDS, LONGEST_SECONDS = 1, 300
SOFTEST_LUFS, LOUDEST_LUFS = -40, -14
EMPTY_FOR_OURS = "Leave it empty for our own words: “%s”"
# What is often asked, {name: (question, words at the highest)}; offered one after the other.
OFTEN_ASKED = {
    "overall": (Scale().question, Scale().high_label),
    "harmony": (gettext_noop("How pleasing is the harmony?"), gettext_noop("very")),
    "rhythm": (gettext_noop("How convincing is the rhythm?"), gettext_noop("very")),
    "coherence": (gettext_noop("How coherent is this clip, from beginning to end?"), gettext_noop("very")),
}


SETTLED = ("target_sessions", "exclusion", "margin", "is_blind_to_researchers")


class StudyForm(forms.ModelForm):
    """A study's words and settings. A new study asks one question; its researcher may change it and add others."""

    GROUPS = (
        ("For you", ("title",)),
        ("What participants read", ("public_title", "welcome", "consent", "thanks", "completion_code")),
        (
            "What participants hear",
            ("length_seconds", "loudness_lufs", "min_heard_seconds", "clips_per_session", "n_repeats"),
        ),
        ("In which order", ("order", "separate_conditions")),
        ("What they are asked", ("separate_passes", "comments")),
        ("What is settled before the ratings are seen", SETTLED),
    )

    n_repeats = forms.IntegerField(
        label="Hidden repeats",
        min_value=0,
        max_value=MOST_CLIPS,
        required=False,
        help_text=(
            "So many clips come once more at the end, unannounced: they show how steadily somebody rates. They count "
            "in no average and are exported on their own."
        ),
    )

    exclusion = forms.MultipleChoiceField(
        label="Leave out who breaks a rule",
        choices=[(rule, RULES[rule]) for rule in RULES if rule not in OF_MUSHRA],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=(
            "Nobody is ever deleted: results are shown with everybody, and beside it without those to whom a chosen rule "
            "applies. The first four together found all careless listeners of our simulated studies, and no honest one."
        ),
    )

    class Meta:
        model = Study
        fields = (
            *("title", "public_title", "welcome", "consent", "thanks", "completion_code"),
            *(
                "length_seconds",
                "loudness_lufs",
                "min_heard_seconds",
                "target_sessions",
                "clips_per_session",
                "n_repeats",
            ),
            *("order", "separate_conditions", "separate_passes", "comments", "is_blind_to_researchers"),
            *("exclusion", "margin"),
        )
        labels = {
            "public_title": "Title",
            "completion_code": "Completion code",
            "length_seconds": "Length of each clip, in seconds",
            "loudness_lufs": "Loudness of each clip, in LUFS",
            "min_heard_seconds": "Seconds to hear before a clip can be rated",
            "target_sessions": "Participants wanted",
            "margin": "Largest difference that does not matter, in points",
            "clips_per_session": "Clips per session",
            "order": "Order of the clips",
            "separate_conditions": "Never one condition twice in a row",
            "separate_passes": "Ask each question in a pass of its own",
            "comments": "Ask for a comment on each clip",
            "is_blind_to_researchers": "Hide which clip is which from us too, until the study closes",
        }
        help_texts = {
            "title": "Participants never see it.",
            "public_title": "It should not say what is compared.",
            "welcome": EMPTY_FOR_OURS
            % _(
                "You will hear short pieces of music, one after the other, and say how much you like each of them. "
                "There are no right answers: your own taste is what counts."
            ),
            "consent": EMPTY_FOR_OURS
            % _(
                "Taking part is voluntary: you can stop at any time by closing this page, and delete your ratings as long "
                "as the study runs. We store your ratings, when you gave them and how long you listened; no name, no "
                "address, no account."
            ),
            "thanks": EMPTY_FOR_OURS % _("You can close this page now."),
            "completion_code": (
                "Shown with the thanks, once all ratings are stored: 6 to 12 capital letters and digits, as Prolific gives "
                "them. Whoever came by a link with ?PROLIFIC_PID=... gets a link back, and takes part once."
            ),
            "length_seconds": "Every clip is cut to it and fades out; one that is shorter cannot take part.",
            "loudness_lufs": (
                "All clips are brought to it, peaks at most at -1 dBTP; -23 is broadcasting's. Where a clip of few short "
                "sounds cannot be made so loud, choose less, such as -30."
            ),
            "target_sessions": (
                "Means stay sealed until so many have finished: who looks again and again finds differences that are not "
                "there. Left empty, until the study closes. You can unseal them at any time; that is written down."
            ),
            "margin": "For a test of whether conditions are as good as equal. You may leave it empty.",
            "clips_per_session": (
                "Leave it empty to play them all. With fewer, each participant hears a part of them, dealt out so that "
                "all clips are rated equally often, within one."
            ),
            "separate_conditions": (
                "Leave it off where conditions have different numbers of clips: keeping them apart then moves some of "
                "them to the beginning and the end of a session more often than others."
            ),
            "separate_passes": (
                "Off, all questions stand on one screen. On, every clip is heard once for each question, in a fresh "
                "order each time: it takes longer, but one answer does not colour the next."
            ),
            "comments": "Participants may leave it empty, and write as much as they like.",
            "is_blind_to_researchers": (
                "While it is open, the pages say “Clip A, Clip B, …”, and tables and downloads wait until it is closed."
            ),
        }
        widgets = {
            **{name: forms.Textarea(attrs={"rows": 3}) for name in ("welcome", "consent", "thanks")},
            "order": forms.RadioSelect,
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_clips = self.instance.stimuli().count() if self.instance.pk else 0
        for name in ("length_seconds", "loudness_lufs", "min_heard_seconds"):
            self.fields[name].widget.attrs["step"] = "any"
            self.initial[name] = f"{getattr(self.instance, name):g}"
        self.fields["loudness_lufs"].required = False  # left empty, as it was

    def groups(self):
        """Yield (heading, fields) as the page shows them."""
        for heading, names in self.GROUPS:
            yield heading, [self[name] for name in names]

    def clean_length_seconds(self):
        seconds = self.cleaned_data["length_seconds"]
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:  # neither is NaN
            raise forms.ValidationError(f"Choose from {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.")
        return seconds

    def clean_loudness_lufs(self):
        loudness = self.cleaned_data["loudness_lufs"]
        if loudness is None:
            return self.instance.loudness_lufs
        if not SOFTEST_LUFS <= loudness <= LOUDEST_LUFS:  # neither is NaN
            raise forms.ValidationError(f"Choose from {SOFTEST_LUFS} to {LOUDEST_LUFS} LUFS.")
        return loudness

    def clean_target_sessions(self):
        target = self.cleaned_data["target_sessions"]
        if target == 0:
            raise forms.ValidationError("Choose one participant at least, or leave it empty.")
        return target

    def clean_clips_per_session(self):
        wanted = self.cleaned_data["clips_per_session"]
        if wanted is None:
            return None
        if self.n_clips and wanted > self.n_clips:
            raise forms.ValidationError(
                f"There are only {self.n_clips} clips: choose fewer, or leave it empty for all."
            )
        if not opening.FEWEST_CLIPS <= wanted <= MOST_CLIPS:
            raise forms.ValidationError(
                f"Choose from {opening.FEWEST_CLIPS} to {MOST_CLIPS} clips, or leave it empty for all."
            )
        return wanted

    def clean_margin(self):
        margin = self.cleaned_data["margin"]
        if margin is not None and not 0 < margin < math.inf:
            raise forms.ValidationError("Choose more than 0 points, or leave it empty.")
        return margin

    def clean_completion_code(self):
        code = self.cleaned_data["completion_code"].strip().upper()
        if code and not re.fullmatch(recruiting.COMPLETION_CODE, code):
            raise forms.ValidationError("Use 6 to 12 letters from A to Z and digits, or leave it empty.")
        return code

    def clean_n_repeats(self):
        return self.cleaned_data["n_repeats"] or 0

    def clean(self):
        found = super().clean()
        heard, length = found.get("min_heard_seconds"), found.get("length_seconds")
        if heard is not None and length is not None and not 0 <= heard <= length:
            self.add_error("min_heard_seconds", f"Choose from 0 to {length:g}, the length of a clip.")
        repeats, n_heard = found.get("n_repeats"), found.get("clips_per_session") or self.n_clips
        if repeats and n_heard and repeats > n_heard:
            self.add_error("n_repeats", f"Choose from 0 to {n_heard}: a session has no more clips to repeat.")
        if found.get("order") == Study.Order.LATIN_SQUARE and found.get("separate_conditions"):
            sentence = "A Latin square settles what follows what: leave this off, or choose another order."
            self.add_error("separate_conditions", sentence)
        fewer = found.get("clips_per_session") and not (self.n_clips and found["clips_per_session"] == self.n_clips)
        if found.get("order") == Study.Order.LATIN_SQUARE and fewer:
            sentence = "A Latin square needs everybody to hear all clips: leave this empty, or choose another order."
            self.add_error("clips_per_session", sentence)
        return found

    @transaction.atomic
    def save(self, commit=True):
        is_new = self.instance.pk is None
        study = super().save(commit)
        if is_new:
            study.scales.create(position=1)
        return study


class ScaleForm(forms.ModelForm):
    """One question, the answers to it, and its name in tables and files."""

    name = forms.SlugField(
        max_length=40,
        help_text="In tables and files, such as “harmony”. Letters, digits and hyphens.",
        error_messages={"invalid": "Use letters without accents, digits and hyphens only, such as “harmony-2”."},
    )
    low = forms.IntegerField(label="Lowest answer", min_value=LOWEST_ANSWER, max_value=HIGHEST_ANSWER)
    high = forms.IntegerField(label="Highest answer", min_value=LOWEST_ANSWER, max_value=HIGHEST_ANSWER)

    class Meta:
        model = Scale
        fields = ("question", "name", "low", "low_label", "high", "high_label")
        labels = {"low_label": "Words at the lowest", "high_label": "Words at the highest"}
        help_texts = {"question": "As participants read it beside the clip."}

    def clean_name(self):
        name = self.cleaned_data["name"].lower()
        if self.instance.study.scales.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"There is a question named “{name}” in this study already.")
        return name

    def clean(self):
        found = super().clean()
        low, high = found.get("low"), found.get("high")
        if low is not None and high is not None and not FEWEST_ANSWERS <= high - low + 1 <= MOST_ANSWERS:
            sentence = (
                f"Choose from {low + FEWEST_ANSWERS - 1} to {low + MOST_ANSWERS - 1}: participants then have "
                f"{FEWEST_ANSWERS} to {MOST_ANSWERS} answers to choose from."
            )
            self.add_error("high", sentence)
        return found


def next_scale(study):
    """Return an unsaved scale to offer as the study's next: the first that is often asked and not in it yet."""
    scales = list(study.scales.all())
    free = OFTEN_ASKED.keys() - {scale.name for scale in scales}
    name = next((name for name in OFTEN_ASKED if name in free), "")
    question, high_label = OFTEN_ASKED.get(name, ("", ""))
    position = scales[-1].position + 1 if scales else 1
    return Scale(study=study, name=name, question=question, high_label=high_label, position=position)


class ConditionForm(forms.ModelForm):
    class Meta:
        model = Condition
        fields = ("name", "is_reference")
        labels = {"is_reference": "Real music: its clips share one row of the table"}
        help_texts = {"name": "As the table will print it, such as “2D CNN”."}

    def clean_name(self):
        name = self.cleaned_data["name"]
        if self.instance.study.conditions.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"There is a condition “{name}” in this study already.")
        return name


class LabelForm(forms.ModelForm):
    class Meta:
        model = Stimulus
        fields = ("label",)

    def clean_label(self):
        label, condition = self.cleaned_data["label"], self.instance.condition
        if condition.study.stimuli().filter(label=label).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"There is a clip “{label}” in this study already.")
        return label


class ClipsForm(forms.Form):
    """Which of the researcher's clips a condition has. To a new one are proposed those that were brought as its."""

    clips = forms.ModelMultipleChoiceField(queryset=Clip.objects.none(), required=False)

    def __init__(self, *args, condition, researcher, **kwargs):
        super().__init__(*args, **kwargs)
        chosen = Q(archived_at=None) | Q(pk__in=condition.stimuli.values("clip"))
        theirs = Clip.objects.visible_to(researcher).filter(chosen).select_related("checkpoint", "corpus")
        # From the first to the last as they were made: that is how the labels number them.
        self.fields["clips"].queryset = theirs.order_by("-job__created_at", "created_at", "index")
        of_it = condition.stimuli.values_list("clip_id", flat=True)
        brought_as_its = theirs.filter(provenance__condition=condition.name).values_list("pk", flat=True)
        self.initial["clips"] = list(of_it) or list(brought_as_its)

    def groups(self):
        """Yield (source, clips): the clips of one checkpoint, one corpus, or those that were uploaded."""
        chosen = {str(pk) for pk in self["clips"].value() or []}
        clips = sorted(self.fields["clips"].queryset, key=_source)
        for source, members in groupby(clips, key=_source):
            yield source[1], [(clip, str(clip.pk) in chosen) for clip in members]


def _source(clip):
    source = clip.checkpoint or clip.corpus or clip.provenance.get("condition")
    return (clip.source, str(source) if source else clip.get_source_display())


def brought_conditions(study, researcher):
    """Yield (name, n_clips) of the conditions that came with the researcher's clips in a table, and the study lacks."""
    theirs = Clip.objects.visible_to(researcher).filter(archived_at=None, provenance__has_key="condition")
    there_are = theirs.order_by().values_list("provenance__condition").annotate(n_clips=Count("pk", distinct=True))
    taken = set(study.conditions.values_list("name", flat=True))
    return sorted((name, n_clips) for name, n_clips in there_are if isinstance(name, str) and name not in taken)
