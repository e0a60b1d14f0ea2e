"""A table of ratings comes in as it was written, or is refused with one sentence that says where it is wrong."""

import io

import pandas as pd
import pytest

from analysis import ratings
from analysis.ratings import RatingsError

HEAD = "session,condition,stimulus,rating"


def table(*lines, head=HEAD):
    return io.StringIO("\n".join([head, *lines]) + "\n")


def refusal(source, columns=None):
    with pytest.raises(RatingsError) as caught:
        ratings.read(source, columns)
    return str(caught.value)


def test_names_stay_as_they_were_written():
    frame = ratings.read(table("007,NA,null,7", "8,NA,null,3.5"))

    assert frame.to_dict("list") == {
        "session": ["007", "8"],
        "condition": ["NA", "NA"],
        "stimulus": ["null", "null"],
        "rating": [7.0, 3.5],
        "row": ["null", "null"],
    }


def test_other_column_names_are_mapped():
    source = table("P01,a,a_1,5", head="rater,condition,item,rating")

    frame = ratings.read(source, {"session": "rater", "stimulus": "item"})

    assert frame.to_dict("records") == [
        {"session": "P01", "condition": "a", "stimulus": "a_1", "rating": 5.0, "row": "a_1"}
    ]


def test_a_mapped_column_replaces_one_that_bears_its_name():
    frame = ratings.read(table("x,a,a_1,5,P01", head=HEAD + ",rater"), {"session": "rater"})

    assert frame["session"].tolist() == ["P01"]


def test_a_frame_is_read_like_a_file_and_left_as_it_was():
    frame = pd.DataFrame({"session": [1, 2], "condition": ["a", "a"], "stimulus": ["x", "x"], "rating": [1, 10]})
    before = frame.copy()

    read = ratings.read(frame)

    assert read["session"].tolist() == ["1", "2"]
    assert read["rating"].tolist() == [1.0, 10.0]
    pd.testing.assert_frame_equal(frame, before)


def test_apostrophes_that_the_export_put_before_formulas_go_again():
    frame = ratings.read(table("s,'=1+1,'-2,1", "s,''=x,'70s,2"))

    assert frame["condition"].tolist() == ["=1+1", "'=x"]
    assert frame["stimulus"].tolist() == ["-2", "'70s"]


def test_a_byte_order_mark_from_a_spreadsheet_does_no_harm(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(f"{HEAD}\ns,a,x,5\n", encoding="utf-8-sig")

    assert ratings.read(path)["session"].tolist() == ["s"]


def test_a_table_without_ratings_is_empty_and_not_wrong():
    assert len(ratings.read(table())) == 0


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["s,a,x,ten"], 'Line 2: rating "ten" is not a number.'),
        (["s,a,x,5", "s,a,y,"], 'Line 3: rating "" is not a number.'),
        (["s,a,x,inf"], 'Line 2: rating "inf" is not a number.'),
        (["s,a,x,nan"], 'Line 2: rating "nan" is not a number.'),
        (["s,a,x,5", ",a,y,5"], "Line 3: session is empty."),
        (["s,a,x,5", "t,a,x,5", "s,a,x,6"], 'Line 4: session "s" has rated stimulus "x" before, on line 2.'),
    ],
)
def test_a_wrong_line_is_named(lines, sentence):
    assert refusal(table(*lines)) == sentence


def test_a_session_may_rate_a_stimulus_once_on_each_scale_and_in_each_condition():
    source = table(
        "s,a,x,overall,5", "s,a,x,rhythm,5", "s,b,x,rhythm,5", head="session,condition,stimulus,scale,rating"
    )

    assert len(ratings.read(source)) == 3


def test_a_missing_column_is_named_beside_those_there_are():
    source = table("P01,a,5", head="rater,condition,rating")

    assert refusal(source) == 'There is no column "session": the table has rater, condition, rating.'


def test_a_mapping_to_nothing_or_of_nothing_is_refused():
    assert refusal(table(), {"session": "rater"}) == (
        'There is no column "rater" to read as session: the table has session, condition, stimulus, rating.'
    )
    assert refusal(table(), {"rater": "session"}) == (
        '"rater" is not a column that can be named; these are: '
        "session, condition, stimulus, rating, row, scale, position."
    )


def test_what_is_no_table_is_refused(tmp_path):
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")

    assert refusal(tmp_path / "none.csv") == f"{tmp_path / 'none.csv'}: there is no such file."
    assert refusal(picture) == "The file is not text in UTF-8."
    assert refusal(empty) == "The file is not a table in CSV: No columns to parse from file."


def test_ragged_lines_are_refused():
    assert refusal(table("s,a,x,5", "s,a,y,5,6")).startswith("The file is not a table in CSV: ")
