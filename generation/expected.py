"""How long a training will take, said before it starts, and from where that is known."""

import math

from generation.models import TrainingRun
from generation.templatetags.quantities import duration
from training.families import FAMILIES

# Measured with the defaults of each family on two CPU cores that others used too: the second of two epochs, by its windows.
MS_PER_WINDOW = {"rnn": 0.5, "cnn": 4.0, "cnn-factorised": 4.5, "cnn-per-track": 6.5, "gru-chain": 6.0}
UNMEASURED = max(MS_PER_WINDOW.values())  # of a family that is new
START_SECONDS = 20  # TensorFlow, compiling, the baselines
RUNS_LOOKED_AT = 20


def expected_time(researcher, family, configuration, minutes=None, epochs=None):
    """Return one sentence. minutes, epochs: the bounds, of which at least one is given."""
    if epochs is None:
        return f"It will take about {duration(60 * minutes)}."
    pace, source = _pace(researcher, family, configuration)
    needed = START_SECONDS + epochs * pace
    if minutes is not None and 60 * minutes < needed:
        return f"It will take about {duration(60 * minutes)}: {epochs:,} epochs would take about {_rough(needed)}, {source}."
    return f"It will take about {_rough(needed)}, {source}."


def _pace(researcher, family, configuration):
    """Return (seconds an epoch, whence that is known)."""
    work = _work(family, configuration)
    paces = [pace for run in _past(researcher, family) if (pace := _pace_of(run))]
    if paces:
        n_runs = f"{len(paces)} earlier run{'s' if len(paces) > 1 else ''}"
        return work * sorted(paces)[len(paces) // 2], f"going by {n_runs} of this family here"
    windows = FAMILIES[family].configuration()["epoch_windows"]
    measured = MS_PER_WINDOW.get(family, UNMEASURED) / 1000 * windows / _work(family, {})
    return work * measured, "as measured on two CPU cores; another machine may be several times faster or slower"


def _past(researcher, family):
    return TrainingRun.objects.visible_to(researcher).filter(family=family).order_by("-created_at")[:RUNS_LOOKED_AT]


def _pace_of(run):
    """Return the seconds that one unit of work took this run, from its first epoch to its last; None if unknown."""
    if len(run.history) < 2:
        return None
    first, last = run.history[0], run.history[-1]
    return (last["seconds"] - first["seconds"]) / (len(run.history) - 1) / _work(run.family, run.configuration)


def _work(family, configuration):
    """Return how much there is to compute in an epoch: windows, times the weights that each goes through."""
    full = FAMILIES[family].configuration(configuration)
    weights = sum(math.prod(shape) for shape in FAMILIES[family].weight_shapes(full).values())
    return full["epoch_windows"] * weights


def _rough(seconds):
    """Two digits at most: more would be a claim that no estimate bears."""
    if seconds < 90:
        return duration(10 * max(round(seconds / 10), 1))
    minutes = seconds / 60
    digits = 1 - math.floor(math.log10(minutes))
    return duration(60 * max(round(minutes, digits), 1)) if minutes >= 10 else duration(60 * round(minutes))
