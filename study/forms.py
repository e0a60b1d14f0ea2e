"""The edge for what a researcher types about a study."""

from itertools import groupby

from django import forms
from django.utils.translation import gettext_lazy as _

from generation.models import Clip
from study.models import Condition, Scale, Stimulus, Study

MOST_ANSWERS = 21  # buttons that a phone can show
SHORTEST_SECONDS, LONGEST_SECONDS = 1, 600
EMPTY_FOR_OURS = "Leave it empty for our own words: “%s”"


class StudyForm(forms.ModelForm):
    """A study's words and settings, and those of its first question."""

    question = forms.CharField(max_length=200)
    low = forms.IntegerField(label="Lowest answer", min_value=-100, max_value=100)
    high = forms.IntegerField(label="Highest answer", min_value=-100, max_value=100)
    low_label = forms.CharField(label="Words at the lowest", max_length=60, required=False)
    high_label = forms.CharField(label="Words at the highest", max_length=60, required=False)

    GROUPS = (
        ("For you", ("title", "target_sessions")),
        ("What participants read", ("public_title", "welcome", "consent", "thanks")),
        ("What participants are asked", ("question", "low", "low_label", "high", "high_label")),
        ("What participants hear", ("length_seconds", "min_heard_seconds")),
    )

    class Meta:
        model = Study
        fields = (
            *("title", "public_title", "welcome", "consent", "thanks"),
            *("length_seconds", "min_heard_seconds", "target_sessions"),
        )
        labels = {
            "public_title": "Title",
            "length_seconds": "Length of each clip, in seconds",
            "min_heard_seconds": "Seconds to hear before a clip can be rated",
            "target_sessions": "Participants wanted",
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
                "Taking part is voluntary, and you can stop at any time by closing this page. We store your ratings, "
                "when you gave them and how long you listened; no name, no address, no account."
            ),
            "thanks": EMPTY_FOR_OURS % _("You can close this page now."),
            "length_seconds": "Every clip is cut to it and fades out; one that is shorter cannot take part.",
            "target_sessions": "You may leave it empty.",
        }
        widgets = {name: forms.Textarea(attrs={"rows": 3}) for name in ("welcome", "consent", "thanks")}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        scale = self.instance.scales.first() if self.instance.pk else None
        self.scale = scale or Scale()
        for name in ("question", "low", "high", "low_label", "high_label"):
            self.fields[name].initial = str(getattr(self.scale, name))
        for name in ("length_seconds", "min_heard_seconds"):
            self.fields[name].widget.attrs["step"] = "any"
            self.initial[name] = f"{getattr(self.instance, name):g}"

    def groups(self):
        """Yield (heading, fields) as the page shows them."""
        for heading, names in self.GROUPS:
            yield heading, [self[name] for name in names]

    def clean_length_seconds(self):
        seconds = self.cleaned_data["length_seconds"]
        if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:  # neither is NaN
            raise forms.ValidationError(f"Choose from {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.")
        return seconds

    def clean_target_sessions(self):
        target = self.cleaned_data["target_sessions"]
        if target == 0:
            raise forms.ValidationError("Choose one participant at least, or leave it empty.")
        return target

    def clean(self):
        found = super().clean()
        heard, length = found.get("min_heard_seconds"), found.get("length_seconds")
        if heard is not None and length is not None and not 0 <= heard <= length:
            self.add_error("min_heard_seconds", f"Choose from 0 to {length:g}, the length of a clip.")
        low, high = found.get("low"), found.get("high")
        if low is not None and high is not None and not low < high < low + MOST_ANSWERS:
            self.add_error("high", f"Choose from {low + 1} to {low + MOST_ANSWERS - 1}: that is up to 21 answers.")
        return found

    def save(self, commit=True):
        study = super().save(commit)
        self.scale.study = study
        for name in ("question", "low", "high", "low_label", "high_label"):
            setattr(self.scale, name, self.cleaned_data[name])
        self.scale.save()
        return study


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
    """Which of the researcher's clips a condition has."""

    clips = forms.ModelMultipleChoiceField(queryset=Clip.objects.none(), required=False)

    def __init__(self, *args, condition, researcher, **kwargs):
        super().__init__(*args, **kwargs)
        theirs = Clip.objects.visible_to(researcher).select_related("checkpoint", "corpus")
        # From the first to the last as they were made: that is how the labels number them.
        self.fields["clips"].queryset = theirs.order_by("-job__created_at", "created_at", "index")
        self.initial["clips"] = list(condition.stimuli.values_list("clip_id", flat=True))

    def groups(self):
        """Yield (source, clips): the clips of one checkpoint, one corpus, or those that were uploaded."""
        chosen = {str(pk) for pk in self["clips"].value() or []}
        clips = sorted(self.fields["clips"].queryset, key=_source)
        for source, members in groupby(clips, key=_source):
            yield source[1], [(clip, str(clip.pk) in chosen) for clip in members]


def _source(clip):
    source = clip.checkpoint or clip.corpus
    return (clip.source, str(source) if source else clip.get_source_display())
