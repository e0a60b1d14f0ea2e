"""Form fields out of a family's table of settings, and a form that has them; what may stand in one, the table says."""

from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError

from training.families import ConfigurationError, Number, PerTrack, Switch, Whole

ON_OFF = (("on", "on"), ("off", "off"))
PREFIX = "set-"


class PerTrackField(forms.CharField):
    """Whole numbers between commas, one a track."""

    def prepare_value(self, value):
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value):
        text = super().to_python(value)
        return [int(part) if part.strip().isdecimal() else part for part in text.split(",")] if text else None


def setting_field(name, setting):
    """Return the form field of one setting of a family; left empty it is the default."""
    label = name.replace("_", " ").capitalize()
    about = {"label": label, "required": False, "initial": setting.default}
    help_text = f"{setting.help[:1].upper()}{setting.help[1:]}."
    if isinstance(setting, Whole | Number | PerTrack):
        help_text += f" From {_written(setting.low)} to {_written(setting.high)}."
    if isinstance(setting, PerTrack):
        return PerTrackField(
            max_length=200, help_text=f"{help_text} In the order drums, piano, guitar, bass, strings.", **about
        )
    if isinstance(setting, Whole | Number):
        kind = forms.IntegerField if isinstance(setting, Whole) else forms.FloatField
        return kind(min_value=setting.low, max_value=setting.high, help_text=help_text, **about)
    if isinstance(setting, Switch):
        about["initial"] = "on" if setting.default else "off"
        return forms.TypedChoiceField(
            choices=ON_OFF,
            coerce=lambda value: value == "on",
            empty_value=None,
            help_text=help_text,
            **about,
        )
    return forms.CharField(max_length=200, help_text=help_text, **about)


def _written(number):
    """0.000001, not 1e-06"""
    return f"{Decimal(str(number)):,f}"


class SettingsForm(forms.Form):
    """A form with a field for each setting of a family's table."""

    def offer(self, settings):
        self.settings = settings
        for name, setting in settings.items():
            self.fields[f"{PREFIX}{name}"] = setting_field(name, setting)

    def setting_fields(self):
        return [self[f"{PREFIX}{name}"] for name in self.settings]

    def has_wrong_settings(self):
        return any(field.errors for field in self.setting_fields())

    def checked_settings(self):
        """Take the settings out of the cleaned data and return {name: value} of all, as the family's table checks them."""
        checked = {}
        for name, setting in self.settings.items():
            value = self.cleaned_data.pop(f"{PREFIX}{name}", None)
            try:
                checked[name] = setting.check(name, setting.default if value in (None, "") else value)
            except ConfigurationError as problem:
                self.add_error(f"{PREFIX}{name}", ValidationError(str(problem)))
        return checked
