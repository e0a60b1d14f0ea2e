"""Results: sealed at first, then the report's table at once, and whatever has to be fitted when a worker has done it."""

import csv
import html
import io
import json
import re
import subprocess
import sys
import zipfile

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Change
from analysis.csv_lines import bare
from generation import work
from generation.models import Job
from study import analyses, result_pages, takeaway
from study.models import Analysis, Rating, Scale, Session, Study, Trial
from study.recounting import recount
from tests.console import address, rows_of, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def analysed(client, paper_study, media):
    """The report's study, its results computed by a worker."""
    client.post(address("analyse", paper_study))
    work.run(Job.objects.get().pk)
    return paper_study


def page_of(client, study):
    return client.get(address("results", study))


# The table at once


def test_the_results_are_the_reports_table(client, paper_study):
    rows = rows_of(page_of(client, paper_study))

    answers = "7: 2, 8: 3, 9: 9, 10: 16"
    assert rows[0] == ["LPD5 Samples", "LPD5 Samples", "30", "9.3", "0.92", "8.82 to 9.78", "", answers]
    assert [(row[0], row[3]) for row in rows[:11]] == [
        ("LPD5 Samples", "9.3"),
        ("Baseline RNN 1", "7.1"),
        ("Baseline RNN 2", "5.9"),
        ("Baseline RNN 3", "5.5"),
        ("Baseline RNN 4", "4.7"),
        ("2D CNN 1", "6.9"),
        ("2D CNN 2", "8.4"),
        ("2D CNN 3", "7.9"),
        ("2D CNN 4", "6.7"),
        ("2D CNN 5", "7.1"),
        ("2D CNN 6", "5.5"),
    ]
    assert [row[:7] for row in rows[11:]] == [
        ["LPD5 Samples", "30", "9.3", "0.92", "8.82 to 9.78", "—", "—"],
        ["Baseline RNN", "40", "5.8", "1.87", "4.82 to 6.78", "—", "—"],
        ["2D CNN", "60", "7.1", "1.68", "6.44 to 7.72", "—", "—"],
    ]


def test_the_headline_says_how_many_came_and_stayed(client, paper_study):
    Session.objects.create(study=paper_study, number=11, seed=1)
    Session.objects.create(study=paper_study, number=12, seed=1, withdrawn_at=paper_study.opened_at)

    page = text(page_of(client, paper_study))

    assert "Wanted 10 Began 11 Finished 10 Withdrew 1 Clips 13 Ratings 130" in page


def test_who_is_kept_is_who_rated_less_who_breaks_the_rule(paper_study):
    def kept(results):
        return dict(result_pages.headline(paper_study, Analysis(results=results)))

    assert kept({"n_sessions": 9, "screened": None})["kept"] == 9
    paper_study.exclusion = ["no_spread"]
    screened = {"n_sessions": 9, "screened": {"sessions": ["a", "b"]}}
    assert kept(screened)["kept by the rule"] == 7
    assert kept({"about": {"ratings": 0}})["kept by the rule"] == 0


def test_the_results_of_one_participant_have_no_intervals(client, paper_study):
    Session.objects.exclude(number=0).delete()
    recount(paper_study)
    paper_study.unseal()

    rows = rows_of(page_of(client, paper_study))

    assert rows[1][2:] == ["1", "5.0", "—", "—", "", "5: 1"]


def test_results_without_ratings_say_what_to_do(client, draft):
    Study.objects.update(state="open")

    assert "Nobody has rated a clip yet. Send the participants" in text(page_of(client, draft))
    assert "/results/compute/" not in page_of(client, draft).content.decode()


def test_several_scales_stand_side_by_side_and_each_has_its_tables(client, paper_study):
    paper_study.scales.create(name="rhythm", question="How is the rhythm?", position=1)

    page = page_of(client, paper_study)

    assert "Averages on all 2 scales" in text(page)
    assert rows_of(page)[:2] == [
        ["LPD5 Samples", "LPD5 Samples", "9.3", "—"],
        ["Baseline RNN 1", "Baseline RNN", "7.1", "—"],
    ]
    assert len(rows_of(page)) == 11 + 2 * (11 + 3)


@pytest.mark.parametrize("n_more", [0, 3])
def test_results_take_the_same_queries_however_many_scales(client, paper_study, n_more, django_assert_num_queries):
    for number in range(n_more):
        paper_study.scales.create(name=f"scale-{number}", position=1 + number)

    with django_assert_num_queries(14):
        page_of(client, paper_study)


def test_the_table_is_taken_away_as_csv(client, paper_study):
    response = client.get(address("table_csv", paper_study))

    lines = list(csv.DictReader(io.StringIO(response.getvalue().decode())))
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="earmark-paper-table.csv"'
    assert [(line["level"], line["row"], line["average"]) for line in lines][10:12] == [
        ("row", "2D CNN 6", "5.5"),
        ("condition", "LPD5 Samples", "9.3"),
    ]


def test_ratings_are_taken_away_as_csv(client, paper_study):
    response = client.get(address("ratings_csv", paper_study))

    assert response.streaming
    assert response.headers["Content-Disposition"] == 'attachment; filename="earmark-paper-ratings.csv"'
    assert len(response.getvalue().decode().splitlines()) == 131


def test_repeats_and_comments_are_offered_where_they_were_asked_for(client, paper_study):
    assert "Repeats as CSV" not in text(page_of(client, paper_study))
    Trial.objects.filter(position=13).update(is_repeat=True, comment="Again?")
    Study.objects.update(n_repeats=1, comments=True)

    page = text(page_of(client, paper_study))

    assert ("Repeats as CSV" in page, "Comments as CSV" in page) == (True, True)
    assert len(client.get(address("repeats_csv", paper_study)).getvalue().decode().splitlines()) == 11
    assert "Again?" in client.get(address("comments_csv", paper_study)).getvalue().decode()


# Sealed


@pytest.fixture
def sealed(paper_study):
    """The report's study, of which eleven were wanted."""
    Study.objects.update(target_sessions=11)
    paper_study.refresh_from_db()
    return paper_study


def test_means_are_sealed_until_as_many_have_finished_as_were_wanted(client, sealed):
    page = text(page_of(client, sealed))

    assert "They are shown once 11 participants have finished." in page
    assert "Ratings 130" in page
    assert not any(average in page for average in ("9.3", "5.8", "7.08", "LPD5"))
    Session.objects.create(study=sealed, number=11, seed=1, finished_at=sealed.opened_at)
    assert "9.3" in text(page_of(client, sealed))


def test_without_a_wish_they_are_sealed_until_the_study_closes(client, sealed):
    Study.objects.update(target_sessions=None)
    assert "They are shown once the study is closed." in text(page_of(client, sealed))

    sealed.close()

    assert "9.3" in text(page_of(client, sealed))


@pytest.mark.parametrize("name", ["table_csv", "ratings_csv", "repeats_csv", "comments_csv", "figure_spec", "takeaway"])
def test_no_file_tells_a_mean_while_they_are_sealed(client, analysed, name):
    Study.objects.update(target_sessions=11)

    response = client.get(address(name, analysed))

    assert (response.status_code, response.headers["Location"]) == (302, address("results", analysed))


def test_while_they_are_sealed_quality_is_shown_and_nothing_that_tells(client, analysed):
    Study.objects.update(target_sessions=11)

    page = text(page_of(client, analysed))

    assert "Quality" in page
    assert "No session is flagged." in page
    assert not any(told in page for told in ("ICC", "9.3", "LPD5", "Pairs", "2D CNN"))


def test_whoever_unseals_them_is_asked_and_written_down(client, sealed, ada):
    question = client.get(address("unseal", sealed))
    assert "That you looked, and when, is written down." in text(question)
    assert sealed.is_sealed

    client.post(address("unseal", sealed))
    client.post(address("unseal", sealed))

    change = Change.objects.about(sealed).get()
    assert (change.researcher, change.deed, change.details) == (ada, "unsealed the results", {"finished": 10})
    assert "9.3" in text(page_of(client, sealed))


def test_that_they_were_unsealed_is_in_what_is_taken_away(client, sealed, media):
    client.post(address("analyse", sealed))
    work.run(Job.objects.get().pk)
    sealed.unseal()
    assert "The study has changed since the fits were computed." in text(page_of(client, sealed))

    client.post(address("analyse", sealed))
    work.run(Job.objects.first().pk)

    when = f"{sealed.unsealed_at:%Y-%m-%d at %H:%M} UTC"
    said = f"11 were wanted; 10 began, 10 finished. The means were unsealed on {when}, before as many had finished"
    assert said in text(page_of(client, sealed))
    with zipfile.ZipFile(io.BytesIO(client.get(address("takeaway", sealed)).getvalue())) as archive:
        assert said in archive.read("methods.txt").decode()
        assert json.loads(archive.read("study.json"))["unsealed_at"] == sealed.unsealed_at.isoformat()


@pytest.mark.parametrize("command", ["table", "export_ratings"])
def test_a_command_asks_for_the_seal_to_be_broken_too(sealed, command, capsys):
    with pytest.raises(CommandError, match=r"are sealed until 11 have finished.* Add --unseal"):
        call_command(command, "paper")

    call_command(command, "paper", unseal=True)

    assert "2D CNN 6" in capsys.readouterr().out
    assert Change.objects.about(sealed).get().researcher is None


# What a worker computes


def test_asking_twice_is_one_job(client, paper_study, media):
    for _ in range(2):
        assert client.post(address("analyse", paper_study)).status_code == 302

    assert Job.objects.get().kind == "analysis"
    assert "The fits wait for a worker." in text(page_of(client, paper_study))
    assert client.get(f"/jobs/{Job.objects.get().pk}/").status_code == 200


def test_results_that_are_there_are_not_computed_again(client, analysed):
    client.post(address("analyse", analysed))

    assert Job.objects.count() == 1


def test_the_page_has_everything_that_a_reader_asks_for_in_order(client, analysed):
    page = text(page_of(client, analysed))

    parts = [
        "Wanted 10 Began 10 Finished 10 Kept 10 Clips 13 Ratings 130",
        "How much do you like this clip?",
        "These clips",
        "Pairs, in words",
        "Figures",
        "Quality",
    ]
    parts += ["Does the answer hang on a choice?", "For the methods section", "Take it away"]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "2D CNN is rated 1.28 points above Baseline RNN (95 % interval -0.01 to 2.58; p = 0.052)" in page
    assert "ICC(2,1) 0.52 (0.32 to 0.76)" in page
    assert "Without flagged sessions 1.28" in page
    assert "Its variances are 0.673 for clips" in page
    assert [row[4:7] for row in rows_of(page_of(client, analysed))[11:14]] == [
        ["8.82 to 9.78", "8.05 to 10.55", "100 %"],
        ["4.82 to 6.78", "4.68 to 6.92", "0 %"],
        ["6.44 to 7.72", "6.12 to 8.05", "0 %"],
    ]


def test_a_rating_that_comes_makes_them_old(client, analysed):
    assert "Ratings have come since" not in text(page_of(client, analysed))
    session = Session.objects.create(study=analysed, number=11, seed=1)
    trial = Trial.objects.create(session=session, stimulus=analysed.stimuli().first(), position=1)
    trial.session = session
    Study.objects.update(min_heard_seconds=0)
    trial.session.study.min_heard_seconds = 0

    trial.rate({analysed.scales.get().pk: 1})

    page = page_of(client, analysed)
    assert "Ratings have come since the fits were computed." in text(page)
    assert "from 130 ratings" in text(page)
    assert 'hx-trigger="load, submit"' in page.content.decode()


def test_progress_is_brought_until_the_page_is_drawn_anew(client, paper_study, media):
    page = client.post(address("analyse", paper_study), headers={"HX-Request": "true"})
    assert "The fits wait for a worker." in text(page)
    waiting = client.get(address("analysis_progress", paper_study))
    assert "/results/progress/" in waiting.content.decode()

    work.run(Job.objects.get().pk)

    assert client.get(address("analysis_progress", paper_study)).headers["HX-Refresh"] == "true"


def test_looking_computes_nothing(client, paper_study):
    page_of(client, paper_study)

    assert (Job.objects.count(), Analysis.objects.count()) == (0, 0)


def test_a_fit_that_fails_is_said_and_can_be_asked_for_again(client, paper_study, media, monkeypatch):
    client.post(address("analyse", paper_study))
    with monkeypatch.context() as broken:
        broken.setattr(
            takeaway, "write", lambda study, folder: iter([(folder / "ratings.csv").write_text("session\n")])
        )
        work.run(Job.objects.get().pk)
    job = Job.objects.get()
    assert (job.state, job.message) == ("failed", 'There is no column "condition": the table has session.')
    page = page_of(client, paper_study)
    assert f"The last attempt failed: {job.message}" in html.unescape(text(page))
    assert 'hx-trigger="submit"' in page.content.decode()  # no page that is left open asks again and again

    client.post(address("analyse", paper_study))
    work.run(Job.objects.first().pk)

    assert analyses.latest(paper_study).n_ratings == 130


def test_only_the_latest_results_are_kept(client, analysed, media):
    Rating.objects.filter(trial__position=13).delete()
    recount(analysed)

    client.post(address("analyse", analysed))
    work.run(Job.objects.exclude(state="done").get().pk)

    new, old = Analysis.objects.all()
    assert (new.n_ratings, bool(new.results), bool(old.results), bool(old.file)) == (120, True, False, False)
    assert len(list((media / "analyses").iterdir())) == 1


def test_scales_that_nobody_answered_have_no_results(client, paper_study, media):
    Scale.objects.create(study=paper_study, name="rhythm", question="How is the rhythm?", position=1)
    client.post(address("analyse", paper_study))
    work.run(Job.objects.get().pk)

    analysis = analyses.latest(paper_study)

    assert (bool(analysis.part("overall")), analysis.part("rhythm"), analysis.drawn("rhythm")) == (True, None, [])
    assert "Pairs, in words" in text(page_of(client, paper_study))


# Figures


def test_a_figure_comes_for_the_page_and_as_a_file(client, analysed):
    spec = client.get(address("figure_spec", analysed)).json()
    files = {form: client.get(address(f"figure_{form}", analysed)) for form in ("svg", "pdf", "png")}

    assert len(spec["usermeta"]["points"]) == 11
    assert files["svg"].content.startswith(b"<svg")
    assert files["pdf"].content.startswith(b"%PDF")
    assert files["png"].content.startswith(b"\x89PNG")
    assert files["pdf"].headers["Content-Disposition"] == 'inline; filename="averages.pdf"'
    assert "private" in files["svg"].headers["Cache-Control"]


def test_a_figure_that_is_not_there_is_not_found(client, analysed):
    for name in ("figure_spec", "figure_svg"):
        assert client.get(address(name, analysed).replace("averages", "nothing")).status_code == 404
        assert client.get(address(name, analysed).replace("overall", "rhythm")).status_code == 404


def test_every_figure_has_words_a_table_and_files(client, analysed):
    page = page_of(client, analysed).content.decode()

    figures = re.findall(r'<figure class="chart".*?</figure>', page, re.S)
    assert len(figures) == 9
    for figure in figures:
        alt = re.search(r'<img [^>]*alt="([^"]+)"', figure)[1]
        assert len(alt) > 20
        assert figure.count("<tr>") >= 2
        assert all(f"as {form}" in figure for form in ("SVG", "PDF", "PNG"))


def test_the_chart_library_comes_from_here_and_is_kept(client):
    response = client.get("/charts/vega.js", headers={"Accept-Encoding": "gzip"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.content) < 400_000
    assert b"vegaEmbed" in client.get("/charts/vega.js").content


# Everything as one file


@pytest.fixture
def unpacked(client, analysed, tmp_path):
    response = client.get(address("takeaway", analysed))
    folder = tmp_path / "away"
    with zipfile.ZipFile(io.BytesIO(response.getvalue())) as archive:
        archive.extractall(folder)
    return folder


def test_the_file_has_everything(unpacked):
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}

    assert names >= {f"{table.name}.csv" for table in takeaway.TABLES}
    assert names >= {"answers.jsonl", "study.json", "codebook.csv", "datapackage.json", "README.txt"}
    assert names >= {"results.json", "table.csv", "table.tex", "table.md", "methods.txt", "analysis.R", "analysed.csv"}
    assert names >= {"figures/averages.svg", "figures/averages.pdf", "figures/averages.png"}
    assert "page.json" not in names


def test_the_command_gives_the_sites_numbers_back_to_the_last_digit(unpacked, analysed):
    command = [sys.executable, "-m", "analysis", str(unpacked / "ratings.csv"), "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert printed == (unpacked / "results.json").read_text()
    shown, whole = analyses.latest(analysed).results, json.loads(printed)
    assert {name: shown[name] for name in shown.keys() - {"flagged"}} == {
        name: whole[name] for name in whole.keys() - {"heat_map", "sessions", "preferences"}
    }
    assert analyses.latest(analysed).results["rows"][0]["average"] == "9.3"


def test_the_package_describes_its_tables(unpacked):
    package = json.loads((unpacked / "datapackage.json").read_text())
    book = list(csv.DictReader((unpacked / "codebook.csv").read_text().splitlines()))

    for resource in package["resources"]:
        with (unpacked / resource["path"]).open(newline="") as file:
            header = next(csv.reader(file))
        assert header == [field["name"] for field in resource["schema"]["fields"]]
        assert header == [line["column"] for line in book if line["table"] == resource["name"]]
        assert all(line["meaning"] for line in book)


def validated(folder):
    """Return what Frictionless says of the package: {table: its errors}."""
    command = [sys.executable, "-m", "frictionless", "validate", "datapackage.json", "--json"]
    found = json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout)
    return {task["name"]: [error["message"] for error in task["errors"]] for task in found["tasks"]}


def test_the_package_is_valid_and_a_damaged_one_is_not(unpacked):
    assert validated(unpacked) == {table.name: [] for table in takeaway.TABLES}

    ratings = unpacked / "ratings.csv"
    ratings.write_text(ratings.read_text().replace(",10,", ",ten,", 1))

    assert any("ten" in error for error in validated(unpacked)["ratings"])


def test_clips_sessions_and_events_are_there_with_what_made_them(unpacked, analysed):
    def lines(name):
        return list(csv.DictReader((unpacked / f"{name}.csv").read_text().splitlines()))

    assert [len(lines(name)) for name in ("ratings", "repeats", "sessions", "clips")] == [130, 0, 10, 13]
    assert [line["is_reference"] for line in lines("clips")] == ["true"] * 3 + ["false"] * 10
    assert {line["rated"] for line in lines("sessions")} == {"13"}
    assert {line["session"] for line in lines("sessions")} == {line["session"] for line in lines("ratings")}


NASTY = [
    "NaN",
    "007",
    "a & b",
    'say "x"',
    "two\nlines\r\nand three",
    "🎵 naïve",
    "ملاحظة",
    "=1+1",
    "@x",
    "-2",
    "'='",
    " x ",
]


def test_every_text_comes_back_as_it_went_in(client, make_study, media):
    study = make_study(dict.fromkeys(NASTY, 1), comments=True)
    session = study.admit()
    for trial, comment in zip(session.trials.all(), NASTY, strict=True):
        trial.session = session
        trial.rate({study.scales.get().pk: 5}, comment=comment)
    study.close()
    client.post(address("analyse", study))
    work.run(Job.objects.get(kind="analysis").pk)

    content = client.get(address("takeaway", study)).getvalue()

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        answers = [json.loads(line) for line in archive.read("answers.jsonl").decode().splitlines()]
        texts = archive.read("comments.csv").decode()
    assert sorted(answer["comment"] for answer in answers) == sorted(NASTY)
    assert {answer["condition"] for answer in answers} == set(NASTY)
    cells = [line["comment"] for line in csv.DictReader(io.StringIO(texts, newline=""))]
    assert sorted(bare(cell) for cell in cells) == sorted(NASTY)
    assert not any(re.match(r"[=+@-]", cell) for cell in cells)


def test_a_file_that_is_gone_is_not_found(client, analysed):
    Analysis.objects.get().file.delete()

    assert client.get(address("takeaway", analysed)).status_code == 404
