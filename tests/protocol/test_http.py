"""What the site in production answers on the wire: to every address, to odd requests, to hostile words."""

import random
import re
import socket
import string
import time
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from urllib.parse import quote, urlencode

import pytest
from django.urls import URLPattern, get_resolver

from tests.deployed import HOST, deployed, wait_until

POLICY = {
    "default-src 'self'",
    "media-src 'self' blob:",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
# Of each word that an address may hold: what of the populated site stands there.
BY_KIND = {"checkpoints": "checkpoint", "jobs": "job", "clips": "clip", "runs": "run", "corpora": "corpus"}
BY_MEMBER = {"scales": "scale", "conditions": "condition", "clips": "stimulus"}
GIVEN = {"batch": "00000000-0000-4000-8000-000000000000", "position": 1, "name": "averages", "scale": "overall"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    mails = tmp_path_factory.mktemp("mails")
    with deployed(EMAIL_URL=f"filemail:///{mails}") as site:
        site.mails = mails
        site.made = site.populated()
        yield site.start_site()


def patterns(resolver=None, before=""):
    """Yield every address of the site as it is written in the urls."""
    for entry in (resolver or get_resolver()).url_patterns:
        address = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield address
        else:
            yield from patterns(entry, address)


def filled(address, made):
    """Put what is there into an address; of the admin's, anything."""
    address = re.sub(r"\(\?P<url>.*\)\$|\^|\$|\\Z", "", address).replace(
        "(?P<app_label>auth|accounts|generation|study)", "study"
    )

    def value(match):
        name, first = match[1].split(":")[-1], address.split("/")[0]
        if name in GIVEN:
            return str(GIVEN[name])
        if match[1] == "uuid:pk":
            return GIVEN["batch"]
        if name == "pk":
            return str(made.get(BY_MEMBER.get(address.split("/")[2]), 1))
        if name == "slug":
            return made["draft" if "pk>" in address or "scales" in address else "study"]
        if first in BY_KIND and name == "id":
            return made[BY_KIND[first]]
        return str(made.get(name, 1))

    return "/" + re.sub(r"<([\w:]+)>", value, address)


def addresses(made):
    return [filled(address, made) for address in patterns()]


def test_every_address_answers_with_every_header(site):
    asked = [*addresses(site.made), "/no/such/page/", "/static/css/nothing.css", "/t/unknown/"]
    pages = 0

    for address in asked:
        for cookie in ({}, {"Cookie": site.made["cookie"]}):
            status, headers, _ = site.ask("GET", address, **cookie)
            told = dict(headers)
            assert status < 500 or address == "/healthz", (address, status)  # no worker runs here
            assert told["X-Frame-Options"] == "DENY", address
            assert set(told["Content-Security-Policy"].split("; ")) == POLICY, address
            assert told["X-Content-Type-Options"] == "nosniff", address
            assert told["Cross-Origin-Opener-Policy"] == "same-origin", address
            assert told["Referrer-Policy"] == "same-origin", address
            assert told["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload", address
            assert told["Server"] == "gunicorn", address
            pages += status == 200 and "html" in told["Content-Type"]

    assert len(asked) > 150
    assert pages > 50


def test_no_address_echoes_a_trace(site):
    answers = {site.ask("TRACE", address, Cookie=site.made["cookie"])[0] for address in addresses(site.made)}

    assert answers == {405}


def test_only_its_own_name_is_answered_to(site):
    for host in ("evil.example", f"{HOST}.evil.example", f"evil.{HOST}", "localhost", "127.0.0.1", ""):
        assert site.ask("GET", "/accounts/login/", host=host)[0] == 400, host
    status, headers, _ = site.ask("GET", "/", X_Forwarded_Host="evil.example")
    assert (status, dict(headers)["Location"]) == (302, "/accounts/login/?next=/")
    assert site.ask("GET", "/healthz", host="evil.example")[0] == 400


def test_a_mail_leads_to_this_site_whatever_name_it_was_asked_for_by(site):
    address, mailed = "/accounts/forgotten/", {"email": "ada@example.org"}
    for headers in ({"X-Forwarded-Host": "evil.example"}, {"Origin": "https://evil.example"}, {}):
        status, _, _ = post(
            site, address, mailed | {"csrfmiddlewaretoken": "t" * 32}, browser("t" * 32, address) | headers
        )
        assert status == (403 if "Origin" in headers else 302)
    assert site.ask("POST", address, host="evil.example")[0] == 400

    def mails():
        return "".join(path.read_text() for path in site.mails.iterdir())

    wait_until(lambda: mails().count("https://") == 2, "the letters did not leave")
    assert set(re.findall(r"https?://([^/\s]+)/", mails())) == {HOST}


def browser(token, address):
    """What a browser sends along with a form of this site."""
    return {"Cookie": f"__Host-csrftoken={token}", "Referer": f"https://{HOST}{address}"}


def test_two_names_and_an_address_with_a_name_are_refused(site):
    assert raw(site, f"GET /s/x/ HTTP/1.1\r\nHost: {HOST}\r\nHost: evil.example\r\n\r\n".encode()).status == 400
    absolute = raw(site, f"GET http://evil.example/accounts/login/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    assert b"evil.example" not in absolute.text


def test_without_tls_it_leads_to_tls(site):
    status, headers, _ = site.ask("GET", "/s/x/?a=1", X_Forwarded_Proto="http")

    assert (status, dict(headers)["Location"]) == (301, f"https://{HOST}/s/x/?a=1")


def test_every_cookie_is_bound_to_this_site_and_to_tls(site):
    study = f"/s/{site.made['study']}/"
    cookies = {}
    _, headers, body = site.ask("GET", study)
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', body)[1].decode()
    admission = re.search(rb'name="admission"[^>]*value="([^"]+)"', body)[1].decode()
    cookies |= set_by(headers)
    sent = browser(cookies["__Host-csrftoken"].value, study)
    form = {"csrfmiddlewaretoken": token, "consent": "on", "admission": admission}
    status, headers, _ = post(site, study, form, sent)
    assert status == 303
    cookies |= set_by(headers)
    login = {"csrfmiddlewaretoken": token, "username": site.made["name"], "password": "analytical engine"}
    status, headers, _ = post(site, "/accounts/login/", login, sent)
    assert status == 302
    cookies |= set_by(headers)

    assert set(cookies) == {"__Host-csrftoken", "__Host-sessionid", "earmark-session"}
    for name, cookie in cookies.items():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, True, "Lax", "")
        assert cookie["path"] == (study if name == "earmark-session" else "/")


def set_by(headers):
    return {
        name: morsel for key, value in headers if key == "Set-Cookie" for name, morsel in SimpleCookie(value).items()
    }


def post(site, address, form, headers):
    return site.ask("POST", address, urlencode(form), **{"Content-Type": "application/x-www-form-urlencoded"} | headers)


def test_a_flood_is_refused_by_all_processes_together(site):
    begun = time.monotonic()
    _, headers, body = site.ask("GET", f"/t/{site.made['code']}/")
    token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', body)[1].decode()
    address, form = f"/t/{site.made['code']}/1/", {"csrfmiddlewaretoken": token, "rating-overall": "7"}
    sent = browser(set_by(headers)["__Host-csrftoken"].value, address)

    # Each by a connection of its own: now this process takes it, now that.
    statuses = [post(site, address, form, sent)[0] for _ in range(100)]

    seconds = time.monotonic() - begun
    assert set(statuses) == {303, 429}
    assert 10 <= statuses.count(303) <= 11 + seconds / 2
    assert site.ask("GET", f"/t/{site.made['code']}/")[0] == 200


def test_who_sends_too_much_is_heard_out_and_told_so(site):
    _, headers, _ = site.ask("GET", f"/t/{site.made['code']}/")
    address, form = f"/t/{site.made['code']}/1/", {"rating-overall": "7", "comment": "x" * 9_000_000}
    sent = browser(set_by(headers)["__Host-csrftoken"].value, address)

    # Hung up on while it still sends, a browser would see a connection that failed, and try for minutes.
    for _ in range(3):
        status, _, body = post(site, f"{address}heard/", form, sent)
        assert status == 413
        assert b"This is too long" in body
    statuses = [post(site, address, form, sent)[0] for _ in range(15)]
    assert set(statuses) <= {413, 429}
    assert statuses[-1] == 429  # too many besides


class Raw:
    def __init__(self, text):
        self.text = text
        found = re.match(rb"HTTP/1\.1 (\d+)", text)
        self.status = int(found[1]) if found else None  # None: hung up without a word


def raw(site, request):
    """Send bytes as they are; return what came back before the site hung up or was silent."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        answer = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(1 << 16):
                answer += part
        except OSError:
            pass
        return Raw(answer)


def odd_requests():
    """Yield 200 requests that no browser sends."""
    chance = random.Random(9)
    known = f"Host: {HOST}\r\nX-Forwarded-Proto: https\r\n"
    chunked, length = "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}{length}{chunked}\r\n0\r\n\r\nGET /admin/ HTTP/1.1\r\n\r\n"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}{length}Content-Length: 6\r\n\r\nabcdef"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}Transfer-Encoding: xchunked\r\n\r\nabc"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}{chunked}\r\nzz\r\nabc\r\n"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}Content-Length: -1\r\n\r\n"
    yield f"POST /t/x/1/ HTTP/1.1\r\n{known}Content-Length: 1e3\r\n\r\n"
    yield f"GET / HTTP/1.1\nHost: {HOST}\n\n"
    yield f"GET /s/x/ HTTP/1.1\r\n{known}X: {'a' * 1_000_000}\r\n\r\n"
    yield f"GET /{'a' * 1_000_000} HTTP/1.1\r\n{known}\r\n"
    yield f"GET / HTTP/9.9\r\n{known}\r\n"
    yield f"GET / HTTP/1.1\r\n{known}Bad Header: 1\r\n: empty\r\n\r\n"
    yield f"GET /  HTTP/1.1\r\n{known}\r\n"
    yield f"G\x00T / HTTP/1.1\r\n{known}\r\n"
    yield f"GET / HTTP/1.1\r\n{known}" + "".join(f"H{i}: 1\r\n" for i in range(500)) + "\r\n"
    yield f"GET /s/x/ HTTP/1.1\r\n{known}Cookie: {'; '.join(f'c{i}=1' for i in range(300))}\r\n\r\n"
    yield f"GET /s/x/ HTTP/1.1\r\n{known}Accept-Language: {'de-' * 2000}\r\n\r\n"
    yield f"GET /s/x/ HTTP/1.1\r\n{known}Range: bytes=-\r\nIf-Modified-Since: \x01\r\n\r\n"
    roots = ["/", "/s/", "/t/", "/sound/", "/studies/", "/clips/", "/static/", "/admin/", "/accounts/login/", "/jobs/"]
    pieces = [
        "%00",
        "..%2f",
        "%2e%2e/",
        "//",
        "%ff%fe",
        "%c0%af",
        "\\",
        ";",
        "%0d%0aX:1",
        "?",
        "&a=",
        "%",
        "'",
        "é",
        "\x7f",
        "<b>",
    ]
    for _ in range(183):
        path = chance.choice(roots) + "".join(chance.choices([*pieces, *string.ascii_letters], k=chance.randint(1, 12)))
        method = chance.choice(["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "BREW"])
        yield f"{method} {path} HTTP/1.1\r\n{known}Content-Length: 0\r\n\r\n"


def test_no_odd_request_is_answered_with_a_fault(site):
    asked = [request.encode("latin-1") for request in odd_requests()]
    with ThreadPoolExecutor(8) as askers:
        answers = list(askers.map(lambda request: raw(site, request).status, asked))

    assert len(asked) == 200
    assert [(asked[i][:120], status) for i, status in enumerate(answers) if status in (500, 502, 503, 504)] == []
    # The first are no requests at all: refused, or hung up on, and never taken for two.
    assert [
        status for status in answers[:14] if status not in (400, 413, 414, 431, 403, 404, 405, 501, 505, None)
    ] == []
    assert site.ask("GET", "/accounts/login/")[0] == 200


HOSTILE = [
    "'",
    "')--",
    '"',
    "1 OR 1=1",
    "owner__password__startswith",
    "-owner__password",
    "id;DROP TABLE study_study",
    "\x00",
    "%",
    "é" * 3000,
]
PARAMETERS = (
    "q",
    "search",
    "sort",
    "order",
    "o",
    "page",
    "kind",
    "state",
    "family",
    "source",
    "filter",
    "next",
    "scale",
    "all",
    "e",
    "p",
)


@pytest.mark.parametrize(
    "address",
    [
        "/studies/",
        "/checkpoints/",
        "/jobs/",
        "/clips/",
        "/runs/",
        "/corpora/",
        "/uploads/",
        "/studies/plan/",
        "/admin/accounts/researcher/",
    ],
)
def test_no_word_in_a_parameter_changes_a_query(site, address):
    cookie = {"Cookie": site.made["cookie"]}
    plain = links(site.ask("GET", address, **cookie)[2])

    for word in HOSTILE:
        asked = address + "?" + "&".join(f"{name}={quote(word)}" for name in PARAMETERS)
        status, _, body = site.ask("GET", asked, **cookie)
        assert status < 500, (address, word)
        if status == 200 and not address.startswith("/admin/"):
            assert links(body) - plain == set(), (address, word)
    assert site.ask("GET", address, **cookie)[0] == 200


def links(body):
    return set(re.findall(rb'href="(/[^"?]*)', body))


def test_a_log_holds_one_line_an_event_whatever_it_is_sent(site):
    before = len(site.log("earmark-web.service").splitlines())
    hostile = quote("/no/such\r\n2026-01-01 00:00:00 ERROR forged\x1b[2J\u2028forged", safe="/")

    for _ in range(3):
        site.ask("GET", hostile, User_Agent="a" * 3000)
    site.ask("GET", "/" + "a" * 3900)
    site.ask("GET", f"/t/{site.made['code']}/99/")
    site.ask("GET", "/s/x/", Referer="x\x1b[31m")  # which gunicorn refuses itself, in its own words
    lines = site.log("earmark-web.service").splitlines()

    ours = re.compile(r"[\d-]{10} [\d:]{8},\d{3} [A-Z]+ (django|gunicorn)\.[\w.]+ ")
    gunicorns = re.compile(r"\[[\d-]{10} [\d:]{8} \+0000\] \[\d+\] \[(INFO|WARNING)\] ")
    assert [line for line in lines if not ours.match(line) and not gunicorns.match(line)] == []
    assert (len(lines) - before, sum(map(bool, map(ours.match, lines[before:])))) == (6, 5)
    said = [line.split(r"\nTraceback")[0] for line in lines]  # which is ours, not what was sent
    assert [line for line in said if len(line) > 600] == []
    assert all(line.isprintable() for line in lines)
    assert site.made["code"] not in "".join(lines)
