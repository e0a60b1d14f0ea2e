"""A study may keep its own researchers from knowing which clip is which until it closes: no page, file or command tells."""

import re
from collections import Counter

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from generation.models import Clip
from study import export, tables
from study.models import Rating, Stimulus, Study
from study.recounting import recount
from tests.console import PAGES, QUESTION, SETTINGS, address

pytestmark = pytest.mark.django_db

# Words that stand nowhere else in the console.
TELLING = {"Quagga", "Zebra", "Quagga 1", "Quagga 2", "Zebra 1", "Okapi"}


@pytest.fixture
def client(client_of, ada):
    return client_of(ada)


@pytest.fixture
def blind(make_draft):
    """An open study, blind to Ada, in which one participant rated everything."""
    study = make_draft({"Quagga": 2, "Zebra": 1}, is_blind_to_researchers=True, comments=True)
    study.stimuli().filter(label="Zebra 1").update(row="Okapi")
    Clip.objects.update(title="A clip")
    Stimulus.objects.update(sound="sounds/made.mp3")
    Study.objects.update(state=Study.State.OPEN, min_heard_seconds=0)
    study.refresh_from_db()
    session = study.admit()
    while trial := session.next_trial():
        trial.rate({study.scales.get().pk: 7}, comment="so it goes")
    return study


def whole(response):
    return (response.getvalue() if response.streaming else response.content).decode(errors="replace") + str(
        response.headers
    )


def told(page):
    return {word for word in TELLING if word in page}


def crawl(client, study):
    """Every page that can be reached from the first by links, and all that an address can be made up for."""
    seen, waiting = {}, ["/", *(address(name, study) for name in PAGES if "GET" in PAGES[name])]
    while waiting:
        link = waiting.pop()
        if link in seen:
            continue
        response = client.get(link)
        seen[link] = whole(response)
        if "html" in response.headers.get("Content-Type", ""):
            waiting += [
                found for found in re.findall(r'(?:href|src|hx-get)="(/[^"#]*)"', seen[link]) if found[:3] != "/s/"
            ]
    return seen


def test_while_it_is_open_no_page_tells(client, blind):
    pages = crawl(client, blind)

    assert {f"/studies/{blind.slug}/", f"/studies/{blind.slug}/results/", "/clips/"} < set(pages)
    assert {link: told(page) for link, page in pages.items() if told(page)} == {}


def test_while_it_is_open_no_refusal_tells(client, blind):
    answers = {name: client.post(address(name, blind), SETTINGS | QUESTION) for name in PAGES if "POST" in PAGES[name]}
    blind.refresh_from_db()

    assert not blind.is_open  # closing was among them, and told nothing either
    assert {name: told(whole(answer)) for name, answer in answers.items() if told(whole(answer))} == {}


def test_once_it_is_closed_the_pages_tell(client, blind):
    blind.close()

    pages = crawl(client, blind)

    assert told(pages[f"/studies/{blind.slug}/"]) == {"Quagga", "Zebra", "Quagga 1", "Quagga 2", "Zebra 1"}
    assert told(pages[f"/studies/{blind.slug}/results/"]) == TELLING - {"Zebra 1"}
    for name in ("table.csv", "ratings.csv", "comments.csv"):
        assert told(pages[f"/studies/{blind.slug}/{name}"]) >= {"Quagga", "Zebra", "Okapi"}


def test_a_study_that_is_not_blind_tells_while_it_is_open(client, blind):
    Study.objects.update(is_blind_to_researchers=False)

    assert told(crawl(client, blind)[f"/studies/{blind.slug}/progress/"]) >= {"Quagga 1", "Quagga 2", "Zebra 1"}


def test_clips_are_counted_under_neutral_names(client, blind):
    page = client.get(address("progress", blind)).content.decode()

    assert re.findall(r'<th scope="row">(.*?)</th><td class="num">(\d+)</td>', page) == [
        ("Clip A", "1"),
        ("Clip B", "1"),
        ("Clip C", "1"),
    ]


def test_the_neutral_order_says_nothing_and_stays(blind):
    """The two Quaggas are each as often A as B or C, over many studies."""
    Rating.objects.filter(trial__stimulus=blind.stimuli().first()).delete()
    recount(blind)
    places = Counter()
    for blind.seed in range(600):
        found = [arrival.n_rated for arrival in tables.arrivals(blind)]
        assert found == [arrival.n_rated for arrival in tables.arrivals(blind)]
        places[found.index(0)] += 1

    # Binomial (600, 1/3): 200 +- 4 standard deviations of 11.5.
    assert all(154 <= places[place] <= 246 for place in range(3))


def test_downloads_say_when_they_come(client, blind):
    for name in ("results", "table_csv", "ratings_csv", "repeats_csv", "comments_csv"):
        response = client.get(address(name, blind))
        assert response.status_code == 403
        assert "Tables, ratings and comments are here as soon as it is closed." in response.content.decode()


@pytest.mark.parametrize(
    "command", [["table"], ["table", "--csv"], *(["export_ratings", "--what", what] for what in export.GIVEN)]
)
def test_no_command_tells(blind, command, capsys):
    with pytest.raises(CommandError, match="tables and ratings wait until it is closed"):
        call_command(command[0], blind.slug, *command[1:])
    assert told(capsys.readouterr().out) == set()

    blind.close()
    call_command(command[0], blind.slug, *command[1:])
    assert (told(capsys.readouterr().out) >= {"Quagga", "Zebra"}) == ("repeats" not in command)


def test_no_function_that_knows_names_tells(blind):
    for tell in (tables.tables, tables.ratings, tables.repeats, tables.comments, *export.GIVEN.values()):
        with pytest.raises(tables.StillBlindError):
            tell(blind)


def test_names_go_on_after_the_alphabet():
    assert [tables.letters(place) for place in (0, 25, 26, 51, 52, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
    ]
