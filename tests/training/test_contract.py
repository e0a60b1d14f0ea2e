"""What every family must hold, whatever its network is."""

import keras
import numpy as np
import pytest

from training import checkpoint, networks, sampling, windows
from training.families import FAMILIES


def network_bytes(rolls):
    return [roll.notes.tobytes() for roll in rolls]


@pytest.fixture(scope="session")
def read(trained):
    return checkpoint.read(trained.file)


@pytest.fixture(scope="session")
def four_clips(read):
    return sampling.sample(read, n_clips=4, seconds=8, seed=11)


def test_training_lowers_the_loss(trained):
    history = trained.card["history"]

    assert [entry["epoch"] for entry in history] == [1, 2, 3]
    assert history[2]["train_loss"] < history[0]["train_loss"]
    assert history[2]["test_loss"] < history[0]["test_loss"]


def test_steps_on_the_same_windows_learn_them(corpus, trained):
    from training.loop import Plan, Run

    run = Run(Plan(trained.family, trained.card["configuration"], epochs=1), corpus, trained.file, print, bool)
    music, chance = run.tested, run.chance
    before = float(run._loss(music, chance))

    for _ in range(20):
        run._step(music, chance)

    assert float(run._loss(music, chance)) < 0.95 * before


def test_the_card_tells_how_the_network_came_to_be(corpus, trained):
    card = checkpoint.inspect(trained.file)

    assert card["family"] == trained.family
    assert card["configuration"] == FAMILIES[trained.family].configuration(trained.card["configuration"])
    assert card["corpus"] == {key: corpus.card[key] for key in ("name", "checksum", "n_pieces", "n_beats")}
    assert card["split"] == {"train": 3, "test": 1, "by": "md5"}
    assert (card["seed"], card["steps_per_beat"], card["version"]) == (
        7,
        networks.grid(trained.family, corpus),
        checkpoint.VERSION,
    )
    best = min(card["history"], key=lambda entry: entry["test_loss"])
    assert card["best_epoch"] == best["epoch"]
    assert 0 < card["baselines"]["hold"] < card["baselines"]["marginal"]


def test_a_network_that_is_saved_and_loaded_answers_alike(corpus, trained, read):
    module = networks.network(trained.family)
    steps, grid = FAMILIES[trained.family].window_steps, networks.grid(trained.family, corpus)
    configuration = read.card["configuration"]
    drawn = windows.draw_on_grid(corpus, grid, [0], 4, steps, np.random.default_rng(0))
    drawn = module.prepared(drawn, configuration)
    chance = np.full(4, 0.3, np.float32)
    ours = networks.build(trained.family, configuration, read.weights)
    theirs = keras.models.load_model(trained.file)  # what Earmark writes, Keras reads

    assert float(module.loss(ours, configuration, drawn, chance)) == pytest.approx(
        float(module.loss(theirs, configuration, drawn, chance)), rel=1e-6
    )
    again = networks.weights(trained.family, configuration, ours)
    assert all((again[name] == read.weights[name]).all() for name in read.weights)


def test_the_same_seed_gives_the_same_clips_and_another_seed_others(read, four_clips):
    again = sampling.sample(read, n_clips=4, seconds=8, seed=11)
    other = sampling.sample(read, n_clips=4, seconds=8, seed=12)

    assert network_bytes(again) == network_bytes(four_clips)
    assert not set(network_bytes(other)) & set(network_bytes(four_clips))


def test_a_clip_does_not_depend_on_how_many_are_asked_for(read, four_clips):
    one = sampling.sample(read, n_clips=1, seconds=8, seed=11)
    twelve = sampling.sample(read, n_clips=12, seconds=8, seed=11)

    assert network_bytes(one) == network_bytes(four_clips)[:1]
    assert network_bytes(twelve)[:4] == network_bytes(four_clips)
    assert len(set(network_bytes(twelve))) == 12


def test_a_clip_is_as_long_as_asked_at_the_corpus_tempo(read, four_clips):
    tempo = read.card["statistics"]["tempo_bpm"]

    for roll in four_clips:
        assert roll.steps_per_beat == 24
        assert set(roll.tempo_bpm) == {tempo}
        assert 8 - 1e-6 < roll.seconds < 8 + 60 / tempo / 24


def test_a_clip_is_neither_silence_nor_a_wall_of_notes(read):
    rolls = sampling.sample(read, n_clips=6, seconds=20, seed=1)

    expected = sum(read.card["statistics"]["density"])
    for roll in rolls:
        cells = (roll.notes["end"] - roll.notes["onset"]).sum() / roll.n_steps
        assert expected / 5 < cells < 3 * expected


def test_pitched_notes_last_a_sixteenth_at_least(four_clips):
    for roll in four_clips:
        ends_within = roll.notes["end"] < roll.n_steps
        begins_within = roll.notes["onset"] > 0  # a note that sounds when the clip begins was cut there
        pitched = roll.notes[(roll.notes["track"] != 0) & ends_within & begins_within]

        assert (pitched["end"] - pitched["onset"]).min() >= 6


def test_louder_on_the_beat_and_loudest_on_the_first(read):
    spb = read.card["steps_per_beat"]
    sounds = np.zeros((4 * spb, 5, 128), bool)
    sounds[[0, spb, spb + spb // 4], 0, 40] = True

    roll = sampling.roll_of_sounds(sounds, read.card)

    usual = read.card["statistics"]["velocity"][0]
    assert roll.notes["velocity"].tolist() == [usual + 10, usual + 5, usual]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_clips": 0}, "clips must be 1 or more, not 0."),
        ({"seconds": 0.5}, "seconds must be from 1 to 600, not 0.5."),
        ({"seconds": float("nan")}, "seconds must be from 1 to 600, not nan."),
        ({"seed": -1}, "seed must be 0 or more, not -1."),
        ({"temperature": -0.1}, "temperature must be from 0 to 10, not -0.1."),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0."),
    ],
)
def test_impossible_requests_are_refused(read, changes, sentence):
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        sampling.sample(read, **{"n_clips": 1, "seconds": 8, "seed": 0, **changes})
