import secrets
from pathlib import PurePath

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Sum

from generation import corpora, kinds, quota, uploads
from generation.answers import LONGEST_SECONDS
from generation.models import Upload, usual_drawing
from generation.setting_fields import SettingsForm
from music.refusal import Refusal, shown_name
from training.families import FAMILIES

LARGEST_SEED = 2**32 - 1
MOST_CLIPS = 50
MOST_REFERENCES = 50


def new_seed():
    """Short enough to be read aloud; another at each visit, so that asking twice gives other clips."""
    return secrets.randbelow(1_000_000)


def seed_field(help_text):
    return forms.IntegerField(min_value=0, max_value=LARGEST_SEED, initial=new_seed, help_text=help_text)


def seconds_field(help_text):
    return forms.FloatField(min_value=5, max_value=120, initial=30, help_text=help_text)


class CheckpointForm(forms.Form):
    file = forms.FileField(
        label="Checkpoint",
        help_text="A .keras file that “python -m training train” wrote, here or elsewhere, or its weights as .weights.h5 or .safetensors. It is checked here, and never run as code.",
        widget=forms.ClearableFileInput(attrs={"accept": ",".join(kinds.WEIGHTS)}),
    )
    card = forms.FileField(
        required=False,
        help_text="The card as .json, where the weights come without it.",
        widget=forms.ClearableFileInput(attrs={"accept": ".json"}),
    )
    name = forms.CharField(max_length=200, required=False, help_text="What you call it. Left empty: the file's name.")

    def accept(self, owner):
        """Return the new checkpoint, or None where the file was refused; the form then says why."""
        file, card = self.cleaned_data["file"], self.cleaned_data["card"]
        name = self.cleaned_data["name"] or shown_name(PurePath(file.name).stem).removesuffix(".weights")
        try:
            return uploads.accept_checkpoint(owner, file, name, card)
        except ValidationError as refusal:
            self.add_error("file", refusal)
            Upload.objects.note_refusal(owner, file, refusal.message, refusal.code)
            return None


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """As many files as the browser sends; empty ones too, for their refusal is listed like any other."""

    widget = SeveralFiles

    def __init__(self, **options):
        super().__init__(allow_empty_file=True, max_length=None, **options)

    def clean(self, files, initial=None):
        files = files if isinstance(files, list | tuple) else [files]
        return [super(FilesField, self).clean(file, initial) for file in files or [None]]


class UploadsForm(forms.Form):
    """Files that come together, each to be read for what it is."""

    SECONDS = 30.0
    MOST_UNREAD = 300
    MOST_UNREAD_BYTES = 2**30

    sent = FilesField(
        label="Files",
        help_text="Checkpoints with their cards, and finished clips of any model: LPD-5 rolls, MIDI, WAV, FLAC, Ogg or MP3, one by one or in a zip, with or without a CSV that names file and condition.",
        widget=SeveralFiles(attrs={"accept": ",".join(kinds.KINDS)}),
    )
    seconds = forms.FloatField(
        min_value=5,
        max_value=LONGEST_SECONDS,
        initial=SECONDS,
        label="Seconds of a roll",
        help_text=f"Rolls and MIDI files that are longer are cut to their beginning. Sound is kept as it is, up to {LONGEST_SECONDS} s.",
    )
    batch = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args, owner, batch=None, **options):
        super().__init__(*args, **options)
        self.owner = owner
        self.fields["batch"].initial = batch

    def clean_sent(self):
        files = self.cleaned_data["sent"]
        unread = Upload.objects.visible_to(self.owner).unread()
        n_bytes = (unread.aggregate(all=Sum("n_bytes"))["all"] or 0) + sum(file.size for file in files)
        if unread.count() + len(files) > self.MOST_UNREAD or n_bytes > self.MOST_UNREAD_BYTES:
            raise ValidationError("Too many files wait to be read. Have those read first, then bring the others.")
        return files

    def receive(self):
        """Keep the files until they are read. Returns their uploads; none if there is no room, and the form says so."""
        files = self.cleaned_data["sent"]
        Upload.objects.sweep()
        try:
            return quota.receive(self.owner, files, self.cleaned_data["batch"])
        except Refusal as refusal:
            self.add_error("sent", ValidationError(str(refusal), code=refusal.problem))
            return []


class ClipsForm(SettingsForm):
    n_clips = forms.IntegerField(label="Clips", min_value=1, max_value=MOST_CLIPS, initial=4)
    seconds = seconds_field("The length of each. A study plays clips of one length, 30 s unless you say otherwise.")
    seed = seed_field("The same seed gives the same clips again, byte for byte.")
    temperature = forms.FloatField(
        min_value=0.1,
        max_value=3,
        initial=1,
        help_text="1 draws as the network learnt it; lower keeps to what is likeliest, higher dares more.",
    )
    top_p = forms.FloatField(
        label="Top-p",
        min_value=0.01,
        max_value=1,
        required=False,
        initial=1,
        help_text="Only the likeliest answers that together reach this probability are drawn from. 1 leaves all.",
    )

    def __init__(self, *args, family, **options):
        super().__init__(*args, **options)
        known = FAMILIES.get(family)
        self.offer(known.sampling if known else {})
        self.initial = usual_drawing(family) | self.initial

    def main_fields(self):
        return [self[name] for name in ("n_clips", "seconds", "seed", "temperature")]

    def more_fields(self):
        return [self["top_p"], *self.setting_fields()]

    def has_wrong_more(self):
        return any(field.errors for field in self.more_fields())

    def clean(self):
        cleaned = super().clean()
        cleaned["settings"] = self.checked_settings()
        if "top_p" in cleaned and cleaned["top_p"] is None:
            cleaned["top_p"] = self.initial["top_p"]
        return cleaned


class ReferencesForm(forms.Form):
    """Held-out pieces of a corpus that are to become clips."""

    seconds = seconds_field(
        "Played from the first bar in which drums, bass and another track sound, at the piece's own tempo."
    )
    pieces = forms.TypedMultipleChoiceField(
        coerce=int,
        error_messages={
            "required": "Choose at least one piece.",
            "invalid_choice": "%(value)s is not a held-out piece of this corpus.",
        },
    )

    def __init__(self, *args, pieces, **kwargs):
        super().__init__(*args, **kwargs)
        self.packed = pieces
        self.fields["pieces"].choices = [(index, str(index)) for index in pieces.held_out()]

    def clean_pieces(self):
        chosen = self.cleaned_data["pieces"]
        if len(chosen) > MOST_REFERENCES:
            raise ValidationError(f"{len(chosen)} pieces are chosen; the most at once is {MOST_REFERENCES}.")
        return chosen

    def clean(self):
        cleaned = super().clean()
        if "pieces" in cleaned and "seconds" in cleaned:
            for index in cleaned["pieces"]:
                obstacle = corpora.why_no_opening(self.packed, index, cleaned["seconds"])
                if obstacle:
                    self.add_error("pieces", f"“{self.packed.pieces[index].title}”: {obstacle}.")
        return cleaned
