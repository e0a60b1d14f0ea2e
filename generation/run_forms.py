"""The forms that start a training run and go on with one. A family's settings come from its own table of fields."""

from django import forms

from generation.expected import expected_time
from generation.forms import seed_field
from generation.models import Corpus, Job
from generation.setting_fields import SettingsForm
from training.families import FAMILIES

MOST_MINUTES = 24 * 60
MOST_EPOCHS = 100_000
SHORTEST_MINUTES = 0.1
BOUND_MISSING = "Say how long to train: a time, a number of epochs, or both."


def fits(family, corpus):
    """Can this family train on this corpus? It needs its own grid, or a finer one that can be brought to it."""
    needed, given = family.steps_per_beat, corpus.card.get("steps_per_beat")
    return needed is None or (isinstance(given, int) and given % needed == 0)


def corpora_for(researcher, family):
    return [corpus for corpus in Corpus.objects.visible_to(researcher) if fits(family, corpus)]


def minutes_field(help_text, **about):
    return forms.FloatField(
        min_value=SHORTEST_MINUTES, max_value=MOST_MINUTES, required=False, help_text=help_text, **about
    )


def epochs_field(help_text, **about):
    return forms.IntegerField(min_value=1, max_value=MOST_EPOCHS, required=False, help_text=help_text, **about)


class BoundedForm(forms.Form):
    """Something that goes on for minutes, epochs, or whichever is over first."""

    def clean(self):
        cleaned = super().clean()
        bounds = [cleaned.get("minutes"), cleaned.get("epochs")]
        if bounds == [None, None] and not {"minutes", "epochs"} & set(self.errors):
            self.add_error("minutes", BOUND_MISSING)
        return cleaned


class TrainingForm(SettingsForm, BoundedForm):
    family = forms.ChoiceField(widget=forms.HiddenInput)
    corpus = forms.ModelChoiceField(Corpus.objects.none(), empty_label=None)
    minutes = minutes_field(
        "Training ends after this time. The best epoch until then becomes the checkpoint. Empty: no bound of time.",
        initial=10,
    )
    epochs = epochs_field("Training ends after so many epochs, if that comes first. Empty: no bound of epochs.")
    patience = forms.IntegerField(
        min_value=1,
        max_value=MOST_EPOCHS,
        required=False,
        help_text="Training ends after so many epochs in a row without a better test loss. Empty: no early stop.",
    )
    seed = seed_field("Of the first weights and the order of the windows.")

    def __init__(self, *args, researcher, family, **kwargs):
        super().__init__(*args, **kwargs)
        self.researcher = researcher
        self.offer(FAMILIES[family].fields)
        self.fields["family"].choices = [(name, offered.title) for name, offered in FAMILIES.items()]
        self.initial["family"] = family
        fitting = [corpus.pk for corpus in corpora_for(researcher, FAMILIES[family])]
        self.fields["corpus"].queryset = Corpus.objects.visible_to(researcher).filter(pk__in=fitting)

    def main_fields(self):
        return [self[name] for name in ("corpus", "minutes", "epochs", "patience", "seed")]

    def clean(self):
        cleaned = super().clean()
        cleaned["configuration"] = self.checked_settings()
        return cleaned

    def expected(self):
        """Return in one sentence how long it will take, or the empty string where the bounds make no sense yet."""
        if not self.is_bound:
            return expected_time(self.researcher, self.initial["family"], {}, minutes=self["minutes"].value())
        if self.errors:
            return ""
        wishes = [self.cleaned_data[name] for name in ("family", "configuration", "minutes", "epochs")]
        return expected_time(self.researcher, *wishes)


class ResumeForm(BoundedForm):
    """For how long to go on with a run that ended."""

    minutes = minutes_field("Empty: no bound of time.", label="Minutes more")
    epochs = epochs_field("Empty: no bound of epochs.", label="Epochs more")

    def __init__(self, *args, run, **kwargs):
        super().__init__(*args, **kwargs)
        self.run = run
        # What it was started for and did not get; a run that ended by itself is offered as much again.
        if run.minutes is not None:
            left = 0 if run.job and run.job.state == Job.State.DONE else run.minutes - run.seconds_trained / 60
            self.initial["minutes"] = round(left, 1) if left >= SHORTEST_MINUTES else run.minutes
        if run.epochs is not None:
            self.initial["epochs"] = max(run.epochs - len(run.history), 0) or run.epochs

    def wishes(self):
        more = self.cleaned_data["epochs"]
        last = self.run.history[-1]["epoch"] if self.run.history else 0
        return {"minutes": self.cleaned_data["minutes"], "epochs": None if more is None else last + more}
