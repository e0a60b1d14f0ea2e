import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from music.pianoroll import BASS, NOTE, PIANO, TRACKS, roll_of
from music.pictures import DARK_TRACK_COLOURS, TRACK_COLOURS, loss_curve, piano_roll
from tests.music.bands import bars, notes_of

SVG = "{http://www.w3.org/2000/svg}"
HISTORY = [
    {"epoch": epoch, "train_loss": 0.1 / epoch, "test_loss": 0.12 / epoch, "seconds": 9.0 * epoch}
    for epoch in range(1, 13)
]
BASELINES = {"marginal": 0.09, "hold": 0.04}


def lanes_of(svg):
    """Return for each lane (its view box as left, top, width, height; its notes as left, top, width, height)."""
    lanes = []
    for lane in ElementTree.fromstring(svg).findall(f"{SVG}svg"):
        paths = "".join(path.get("d") for path in lane.find(f"{SVG}g"))
        number = r"(-?[\d.]+)"
        notes = [
            (float(left), float(top), float(width), float(tall))
            for left, top, width, tall in re.findall(f"M{number} {number}h{number}v{number}h-", paths)
        ]
        lanes.append((tuple(map(float, lane.get("viewBox").split())), notes))
    return lanes


def drawn_in(root):
    """Return (class, colour) of the notes of each lane."""
    notes = [lane.find(f"{SVG}g") for lane in root.findall(f"{SVG}svg")]
    return [(lane.get("class"), lane.get("fill")) for lane in notes]


def test_each_track_has_a_lane_of_its_name_colour_and_class():
    root = ElementTree.fromstring(piano_roll(bars(2)))

    labels = [text.text for text in root.findall(f"{SVG}text") if text.get("font-weight")]
    assert labels == list(TRACKS)
    assert drawn_in(root) == [
        (f"track-{name.lower()}", colour) for name, colour in zip(TRACKS, TRACK_COLOURS, strict=True)
    ]


def test_the_colours_are_those_of_the_sites_pages():
    css = (Path(__file__).parents[2] / "static" / "css" / "tokens.css").read_text()

    for track, colours in zip(TRACKS, zip(TRACK_COLOURS, DARK_TRACK_COLOURS, strict=True), strict=True):
        assert re.findall(rf"--track-{track.lower()}: (#[0-9a-f]+);", css) == list(colours)


def test_on_a_dark_page_ink_and_colours_are_light():
    root = ElementTree.fromstring(piano_roll(bars(2), dark=True))

    assert [colour for _, colour in drawn_in(root)] == list(DARK_TRACK_COLOURS)
    assert root.get("color") == "#ecebe8"


def test_every_note_is_drawn_in_its_lane_at_its_time():
    roll = bars(2, tempo_bpm=[60, 60, 60, 60, 240, 240, 240, 240])  # four seconds, then one

    lanes = lanes_of(piano_roll(roll))

    for track, ((left, top, width, height), notes) in enumerate(lanes):
        assert len(notes) == (roll.notes["track"] == track).sum()
        for note_left, note_top, note_width, note_height in notes:
            assert left <= note_left < note_left + note_width <= left + width + 40
            assert top <= note_top < note_top + note_height <= top + height
    (_, _, width, _), piano = lanes[PIANO]
    assert sorted({round(note[0] / width, 2) for note in piano}) == [0, 0.8]


def test_a_higher_pitch_stands_higher_and_a_louder_note_is_darker():
    roll = roll_of(notes_of((0, 24, PIANO, 60, 30), (24, 48, PIANO, 72, 120)), 48)

    svg = piano_roll(roll)

    (_, notes) = lanes_of(svg)[PIANO]
    low, high = sorted(notes)
    assert high[1] + 12 == pytest.approx(low[1])
    assert [
        path.get("opacity") for path in ElementTree.fromstring(svg).findall(f"{SVG}svg")[PIANO].find(f"{SVG}g")
    ] == ["0.55", "1.0"]


def test_bar_lines_stand_where_bars_begin():
    lane = ElementTree.fromstring(piano_roll(bars(4))).findall(f"{SVG}svg")[0]

    lines = [int(x) for x in re.findall(r"M(\d+) ", lane.find(f"{SVG}path").get("d"))]

    assert lines == [2500, 5000, 7500]


def test_a_screen_reader_gets_the_picture_in_words():
    roll = roll_of(notes_of((0, 12, BASS, 40, 90)), 48)

    root = ElementTree.fromstring(piano_roll(roll, title="2D CNN 3"))

    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "Piano roll of 2D CNN 3"
    assert root.find(f"{SVG}desc").text == (
        "1.0 seconds, 2 beats. Drums 0 notes, Piano 0 notes, Guitar 0 notes, Bass 1 note, Strings 0 notes."
    )


def test_letters_keep_their_size_on_every_width():
    root = ElementTree.fromstring(piano_roll(bars(1)))

    assert (root.get("width"), root.get("viewBox")) == ("100%", None)
    assert {lane.get("preserveAspectRatio") for lane in root.findall(f"{SVG}svg")} == {"none"}
    assert {len(lane.findall(f".//{SVG}text")) for lane in root.findall(f"{SVG}svg")} == {0}


@pytest.mark.parametrize(
    ("n_bars", "labels"),
    [
        (1, "0 s 1 s 2 s"),
        (15, "0 s 5 s 10 s 15 s 20 s 25 s 30 s"),
        (16, "0 s 5 s 10 s 15 s 20 s 25 s 30 s"),
        (90, "0 s 30 s 60 s 90 s 120 s 150 s 180 s"),
    ],
)
def test_the_axis_names_so_many_times_as_a_phone_has_room_for(n_bars, labels):
    assert " ".join(re.findall(r">(\d+ s)<", piano_roll(bars(n_bars)))) == labels


@pytest.mark.parametrize(
    "picture",
    [piano_roll(bars(1), title="<script>x</script> & \"'"), loss_curve(HISTORY, BASELINES), loss_curve([], BASELINES)],
)
def test_a_picture_goes_into_a_page_whole_and_asks_it_for_nothing(picture):
    root = ElementTree.fromstring(picture)

    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert tags <= {"svg", "title", "desc", "rect", "text", "path", "g", "line"}
    assert not any(name == "style" or name.startswith("on") or "href" in name for name in attributes)


def test_an_empty_roll_is_five_silent_lanes():
    picture = piano_roll(roll_of(np.zeros(0, NOTE), 0))

    assert [len(notes) for _, notes in lanes_of(picture)] == [0] * 5
    assert picture.count("silent") == 5


def test_thirty_dense_seconds_stay_below_200_kilobytes():
    rng = np.random.default_rng(0)
    onsets = rng.integers(0, 60 * 24 - 30, 4000)
    notes = zip(
        onsets,
        onsets + rng.integers(1, 30, 4000),
        rng.integers(0, 5, 4000),
        rng.integers(20, 110, 4000),
        rng.integers(1, 128, 4000),
        strict=True,
    )

    assert len(piano_roll(roll_of(notes_of(*notes), 60 * 24)).encode()) < 200_000


# The loss of a training run


def texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_both_curves_and_both_baselines_are_named_where_they_stand():
    named = texts(loss_curve(HISTORY, BASELINES))

    assert {"Train", "Test", "Knowing nothing", "Holding the last frame", "Epoch", "Loss"} <= set(named)


def test_the_loss_is_said_in_words():
    description = ElementTree.fromstring(loss_curve(HISTORY[:2], BASELINES)).find(f"{SVG}desc").text

    assert description == "Epoch 2: train 0.050, test 0.060; knowing nothing 0.090, holding the last frame 0.040."


def test_names_of_curves_that_end_together_do_not_lie_on_one_another():
    together = [{"epoch": epoch, "train_loss": 0.05, "test_loss": 0.0501, "seconds": 1.0} for epoch in (1, 2, 3)]

    root = ElementTree.fromstring(loss_curve(together, BASELINES))

    heights = {
        text.text: float(re.search(r",(-?[\d.]+)\)", text.get("transform"))[1])
        for text in root.iter(f"{SVG}text")
        if text.text in ("Train", "Test")
    }
    assert heights["Train"] - heights["Test"] >= 12


def test_each_epoch_is_labelled_once():
    for n_epochs in (1, 3, 12):
        labels = [label for label in texts(loss_curve(HISTORY[:n_epochs], BASELINES)) if label.isdigit()]

        assert len(labels) == len(set(labels)) <= 7


def test_a_run_without_an_epoch_shows_the_baselines():
    picture = loss_curve([], BASELINES)

    assert "Knowing nothing" in texts(picture)
    assert "Train" not in texts(picture)


def test_a_loss_that_is_no_number_is_left_out():
    broken = [*HISTORY, {"epoch": 13, "train_loss": float("nan"), "test_loss": float("inf"), "seconds": 99.0}]

    assert "NaN" not in loss_curve(broken, BASELINES)


def test_a_dark_page_gets_lighter_lines():
    light, dark = loss_curve(HISTORY, BASELINES), loss_curve(HISTORY, BASELINES, dark=True)

    assert ("#0072b2" in light, "#56b4e9" in light) == (True, False)
    assert ("#0072b2" in dark, "#56b4e9" in dark) == (False, True)


def test_baselines_that_lie_close_are_named_at_either_end():
    fell = [{"epoch": 1, "train_loss": 5.0, "test_loss": 5.2}, {"epoch": 2, "train_loss": 0.2, "test_loss": 0.3}]

    close = loss_curve(fell, {"marginal": 0.25, "hold": 0.19})
    apart = loss_curve(fell, {"marginal": 4.0, "hold": 0.19})

    def anchor(svg, name):
        return re.search(rf'<text [^>]*text-anchor="(\w+)"[^>]*>{name}<', svg)[1]

    names = ("Holding the last frame", "Knowing nothing")
    assert [anchor(close, name) for name in names] == ["start", "end"]
    assert [anchor(apart, name) for name in names] == ["end", "end"]
