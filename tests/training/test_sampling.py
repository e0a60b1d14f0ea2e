"""What may be wished of sampling: a nucleus, a piece to go on from, and each family's own settings."""

import numpy as np
import pytest

from music import pianoroll
from training import checkpoint, importing, networks, sampling
from training.families import FAMILIES, ConfigurationError
from training.networks.drawing import likelier_than_not, nucleus


@pytest.fixture
def sampled(a_card, some_weights):
    """sampled("rnn", top_p=0.5): notes of two clips of four seconds, by a network whose weights chance drew."""

    def sample(family="rnn", **wishes):
        card = a_card(family, steps_per_beat=FAMILIES[family].steps_per_beat or 24)
        card["configuration"] = FAMILIES[family].configuration(card["configuration"])
        read = checkpoint.Checkpoint(card, some_weights(family))
        rolls = sampling.sample(read, **{"n_clips": 2, "seconds": 4, "seed": 3, **wishes})
        return [roll.notes for roll in rolls]

    return sample


def same(clips, others):
    return [one.tobytes() for one in clips] == [one.tobytes() for one in others]


def test_the_nucleus_is_the_fewest_likeliest_that_reach_the_share():
    probability = np.array([[0.1, 0.5, 0.15, 0.25]], np.float32)

    kept = {top_p: (nucleus(probability, top_p)[0].numpy() > 0).tolist() for top_p in (0.4, 0.6, 0.8, 0.95)}

    assert kept[0.4] == [False, True, False, False]
    assert kept[0.6] == [False, True, False, True]
    assert kept[0.8] == [False, True, True, True]
    assert kept[0.95] == [True, True, True, True]
    assert nucleus(probability, 1.0) is probability


def test_of_yes_and_no_the_nucleus_keeps_both_or_the_likelier():
    logits = np.log(np.array([0.97, 0.6, 0.4, 0.03]) / np.array([0.03, 0.4, 0.6, 0.97])).astype(np.float32)

    assert np.sign(likelier_than_not(logits, 0.95)).tolist() == [1, 1, -1, -1]
    assert (np.abs(likelier_than_not(logits, 0.95)) > 50).tolist() == [True, False, False, True]
    assert (np.abs(likelier_than_not(logits, 0.3)) > 50).all()


def test_a_nucleus_of_next_to_nothing_draws_what_temperature_zero_does(sampled):
    assert same(sampled(top_p=1e-6), sampled(temperature=0.0))
    assert not same(sampled(top_p=0.5), sampled())


def test_a_clip_goes_on_from_a_prompt_of_which_it_holds_nothing(sampled, request):
    folder = request.path.parents[1] / "fixtures" / "freedoom"
    first, second = (importing.read_roll(folder / f"freedoom1-d_{name}.mid") for name in ("e4m8", "inter"))

    from_first = sampled(prompt=first)

    assert same(from_first, sampled(prompt=first))
    assert not same(from_first, sampled())
    assert not same(from_first, sampled(prompt=second))
    assert not same(sampled("cnn", prompt=first), sampled("cnn"))


def test_a_prompt_reaches_the_network_as_its_last_whole_bars(make_roll):
    roll = make_roll(beats=14)  # three bars and a half

    window = sampling.prompt_window(roll, {"steps_per_beat": 24})

    expected = pianoroll.excerpt(roll, 4 * 24, 12 * 24).notes
    assert window.n_steps == networks.PROMPT_BEATS * 24
    assert sorted(zip(window.onset, window.end, window.pitch, strict=True)) == sorted(
        zip(expected["onset"], expected["end"], expected["pitch"], strict=True)
    )
    with pytest.raises(ValueError, match="prompt must have a whole bar at least"):
        sampling.prompt_window(make_roll(beats=3, n_notes=20), {"steps_per_beat": 24})


def test_polyphony_bounds_how_many_notes_of_a_track_sound(sampled):
    at_once = {}
    for family in ("cnn", "gru-chain"):
        for notes in sampled(family, settings={"polyphony": [2, 1, 1, 1, 1]}):
            for track in range(5):
                ours = notes[notes["track"] == track]
                count = [((ours["onset"] <= at) & (ours["end"] > at)).sum() for at in ours["onset"]]
                at_once[family, track] = max([at_once.get((family, track), 0), *count])

    assert max(at_once.values()) == 2
    assert all(count <= 1 for (_, track), count in at_once.items() if track)


@pytest.mark.parametrize("family", ["rnn", "gru-chain"])
def test_no_pitched_note_is_shorter_than_asked(sampled, family):
    for notes in sampled(family, settings={"min_note_beats": 1.0}):
        inside = notes[(notes["track"] > 0) & (notes["onset"] > 0) & (notes["end"] < notes["end"].max())]

        assert len(inside) > 5
        assert (inside["end"] - inside["onset"]).min() >= 24


@pytest.mark.parametrize("name", ["density", "hysteresis"])
def test_each_of_the_cnns_settings_changes_what_is_drawn(sampled, name):
    changed = {"density": False, "hysteresis": 5.0}[name]

    assert not same(sampled("cnn", settings={name: changed}), sampled("cnn"))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"hysteresis": 1.0}, "rnn has no setting of sampling 'hysteresis'; it has min_note_beats."),
        ({"min_note_beats": -1}, "min_note_beats must be a number from 0.0 to 4.0, not -1."),
    ],
)
def test_settings_that_the_family_does_not_take_are_refused(sampled, settings, sentence):
    with pytest.raises(ConfigurationError) as refusal:
        sampled("rnn", settings=settings)

    assert str(refusal.value) == sentence
