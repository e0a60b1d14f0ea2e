"""Participants read their own language: English and German are complete, and no text is forgotten."""

import gettext
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.core.cache import cache
from django.template.loader import render_to_string
from django.utils import translation

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "locale/de/LC_MESSAGES/django"
SPOKEN = {"aria-label", "alt", "title", "placeholder"}
LETTERS = re.compile(r"[^\W\d_]")


def unquoted(text):
    return text.replace('\\"', '"').replace("\\n", "\n")


def written():
    """{text: translation} as in django.po, plural forms as (text, number of the form)."""
    texts = {}
    for entry in CATALOG.with_suffix(".po").read_text().split("\n\n"):
        lines = dict(re.findall(r'^(msg\S+) "(.*)"$', entry, re.M))
        key = unquoted(lines.pop("msgid", ""))
        lines.pop("msgid_plural", None)
        for name, text in lines.items():
            texts[(key, int(name[7])) if "[" in name else key] = unquoted(text)
    texts.pop("", None)
    return texts


def compiled():
    with CATALOG.with_suffix(".mo").open("rb") as file:
        catalog = dict(gettext.GNUTranslations(file)._catalog)
    catalog.pop("")
    return catalog


def walk(listener, **headers):
    """Every page that a participant can meet, as HTML."""
    listener.client.defaults.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    listener.client.get(f"/s/{listener.study.slug}/?PROLIFIC_PID=5f3a9c0e1b2d4c5e6f708192")
    answers = [listener.open(), listener.client.post(f"/s/{listener.study.slug}/", {}), listener.begin()]
    answers += [listener.rate(overall="x"), listener.rate(position=1, overall="5")]
    listener.client.post(f"{listener.link}1/shown/")
    answers += [listener.rate(position=1, overall="5"), listener.open(), listener.go_on()]
    type(listener.study).objects.update(min_heard_seconds=0)
    answers += [listener.rate(overall="5"), listener.rate(position=1, overall="4"), listener.rate(overall="5")]
    withdraw = f"{listener.link}withdraw/"
    answers.append(listener.client.get(withdraw))
    listener.study.close()
    answers += [listener.open(), listener.client.post(withdraw)]
    type(listener.study).objects.update(state="open")
    answers += [listener.client.post(withdraw), listener.go_on()]
    answers += [listener.begin(), listener.study.close() or listener.open()]
    faults = [render_to_string(f"{name}.html") for name in ("400", "403_csrf", "413", "429", "500", "507")]
    return [answer.content.decode() for answer in answers] + faults


@pytest.fixture
def listener(db, make_study, listener_of):
    return listener_of(make_study({"A": 2}, comments=True, min_heard_seconds=10, completion_code="C1A2B3C4"))


@pytest.fixture
def pseudo(monkeypatch):
    """A language in which every translated text stands in brackets; yields the texts that were asked for."""
    asked = set()

    def single(message):
        asked.add(message)
        return f"⟦{message}⟧"

    def plural(one, many, number):
        asked.add((one, 0 if number == 1 else 1))
        return f"⟦{one if number == 1 else many}⟧"

    cache.clear()  # of texts that are the same on every page
    translation.gettext("Begin")  # fills in what is replaced next
    translation.ngettext("", "", 1)
    monkeypatch.setattr(translation._trans, "gettext", single)
    monkeypatch.setattr(translation._trans, "ngettext", plural)
    yield asked
    cache.clear()


class Words(HTMLParser):
    """Collects what a person may come to read or hear: text, and the attributes that are spoken or shown later."""

    def __init__(self):
        super().__init__()
        self.words, self.ignored = [], 0

    def handle_starttag(self, tag, attributes):
        self.ignored += tag in ("script", "style")
        for name, value in attributes:
            if name in SPOKEN or (dict(attributes).get("id") == "live" and name.startswith("data-")):
                self.words.append(value + "\n")

    def handle_endtag(self, tag):
        self.ignored -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.ignored:
            self.words.append(data)


def words_outside_brackets(page):
    reader = Words()
    reader.feed(page)
    rest = re.sub(r"⟦[^⟦⟧]*⟧", "", "".join(reader.words))
    return [line.strip() for line in rest.splitlines() if LETTERS.search(line)]


def test_no_text_of_a_participants_page_was_forgotten(listener, pseudo):
    pages = walk(listener)

    assert [words_outside_brackets(page) for page in pages] == [[]] * len(pages)
    assert len(pseudo) > 50


def test_every_text_that_a_participant_can_meet_is_in_german(listener, pseudo):
    walk(listener)
    literals = re.compile(r'{% translate "([^"]+)"')
    for template in (ROOT / "templates/participant").glob("*.html"):
        pseudo.update(literals.findall(template.read_text()))

    texts = {text for text in pseudo if LETTERS.search(str(text))}  # Django's own colon aside
    assert {text for text in texts if not written().get(text)} == set()


def test_the_german_texts_are_complete_and_compiled():
    assert [text for text, translated in written().items() if not translated] == []
    assert "fuzzy" not in CATALOG.with_suffix(".po").read_text()
    assert compiled() == written()


def test_translations_keep_the_places_for_figures():
    def places(text):
        return sorted(re.findall(r"%\(\w+\)s|\{\w+\}|</?\w+>", text))

    wrong = [
        text for text, german in written().items() if not isinstance(text, tuple) and places(text) != places(german)
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("wanted", "language", "heading"),
    [("de-AT,de;q=0.9", "de", "Hörstudie"), ("fr, en;q=0.5", "en", "Listening study"), ("xx", "en", "Listening study")],
)
def test_the_browsers_language_decides(listener, wanted, language, heading):
    page = listener.open(**{"Accept-Language": wanted})

    assert f'<html lang="{language}">' in listener.text
    assert f"<h1>{heading}</h1>" in listener.text
    assert "Accept-Language" in page.headers["Vary"]


def test_figures_are_written_for_the_program_in_every_language(listener):
    listener.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    type(listener.study).objects.update(min_heard_seconds=2.5)
    listener.begin()

    assert 'data-needed="2.5"' in listener.text


def test_the_researchers_own_words_are_left_alone(db, make_study, listener_of):
    scales = ({"question": "Groovy, 100 % oder nicht?"},)
    listener = listener_of(make_study(public_title="Meine Studie", scales=scales))
    listener.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"

    listener.begin()

    assert "Groovy, 100 % oder nicht?" in listener.text
    assert "gar nicht" in listener.text
