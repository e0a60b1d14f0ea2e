"""Who is answered what: every address of the site, asked by everybody, with GET and with POST, about things of Ada's.

A page that the table does not name fails. Whoever may not see a thing is told what an unknown address is told.
"""

import pytest
from django.db import transaction
from django.urls import URLResolver, get_resolver

from tests.generation.conftest import corpus, packed_folder, source
from tests.world import SECRET, world

__all__ = ["corpus", "packed_folder", "source", "world"]
pytestmark = pytest.mark.django_db

EVERYBODY = ("anonymous", "participant", "stranger", "viewer", "editor", "owner", "staff")
STRANGERS = ("anonymous", "participant", "stranger")


def each(answers):
    """{who: answer}, of answers in the order of EVERYBODY."""
    return dict(zip(EVERYBODY, answers.split(), strict=True))


ALL = each("in in in in in in in")
NONE = each("method method method method method method method")
NONE_BUT_STAFF = each("login login refused refused refused refused method")
RESEARCHERS = each("login login in in in in in")  # their own things: a list, a form for something new
SEES = each("login login hidden in in in hidden")
CHANGES = each("login login hidden refused in in hidden")
SHARES = each("login login hidden refused refused in hidden")
STAFF = each("login login refused refused refused refused in")
OWNS = each("login login hidden hidden hidden in hidden")  # what cannot be shared

# Page -> what GET and POST are answered.
TABLE = {
    "healthz": (ALL, NONE),
    "accounts:login": (ALL, ALL),
    "accounts:logout": (NONE, ALL),
    **dict.fromkeys(
        ["accounts:password_reset", "accounts:join"], (ALL, ALL)
    ),  # whoever has the link has the invitation
    "accounts:password_reset_done": (ALL, NONE),
    "accounts:password_reset_confirm": (ALL, ALL),
    **dict.fromkeys(["accounts:account", "accounts:log"], (RESEARCHERS, NONE)),
    "accounts:password_change": (RESEARCHERS, RESEARCHERS),
    **dict.fromkeys(["accounts:people", "accounts:suspend", "accounts:restore"], (STAFF, STAFF)),
    **dict.fromkeys(["accounts:take_back", "accounts:reset_link"], (NONE_BUT_STAFF, STAFF)),
    **dict.fromkeys(["study:step", "study:sound"], (ALL, NONE)),  # whoever has the code has the session
    **dict.fromkeys(["study:welcome", "study:withdraw"], (ALL, ALL)),
    **dict.fromkeys(["study:rate", "study:shown", "study:heard"], (NONE, ALL)),
    **dict.fromkeys(["generation:checkpoints", "generation:jobs", "generation:clips"], (RESEARCHERS, NONE)),
    **dict.fromkeys(["generation:runs", "generation:corpora", "generation:expected"], (RESEARCHERS, NONE)),
    **dict.fromkeys(["study:home", "study:studies", "study:charts", "study:plan"], (RESEARCHERS, NONE)),
    "study:estimate_of_new": (RESEARCHERS, NONE),
    **dict.fromkeys(["study:new_study", "study:import", "generation:new_run"], (RESEARCHERS, RESEARCHERS)),
    **dict.fromkeys(["generation:new_checkpoint", "generation:uploads"], (RESEARCHERS, RESEARCHERS)),
    **dict.fromkeys(["generation:receive", "study:simulate"], (NONE, RESEARCHERS)),
    "generation:read": (NONE, RESEARCHERS),  # reads only what its asker sent: Ada's batch stays unread
    # Checkpoints and clips
    "generation:checkpoint": (SEES, CHANGES),
    **dict.fromkeys(["generation:checkpoint_loss", "generation:clip", "generation:clip_picture"], (SEES, NONE)),
    **dict.fromkeys(["generation:clip_sound", "generation:clip_roll"], (SEES, NONE)),
    **dict.fromkeys(["generation:neighbour_picture", "generation:neighbour_sound"], (SEES, NONE)),
    **dict.fromkeys(["generation:share_checkpoint", "generation:share_clip", "study:share"], (SHARES, SHARES)),
    "generation:end_share_of_checkpoint": (NONE, SHARES),
    **dict.fromkeys(["generation:archive_checkpoint", "generation:unarchive_checkpoint"], (NONE, SHARES)),
    **dict.fromkeys(["generation:archive_clip", "generation:unarchive_clip"], (NONE, SHARES)),
    **dict.fromkeys(["study:archive", "study:unarchive"], (NONE, SHARES)),
    **dict.fromkeys(["generation:delete_checkpoint", "generation:delete_clip"], (SHARES, SHARES)),
    "generation:end_share_of_clip": (NONE, SHARES),
    "study:end_share": (NONE, SHARES),
    # What belongs to one researcher alone
    **dict.fromkeys(["generation:batch", "generation:batch_rows", "generation:job"], (OWNS, NONE)),
    **dict.fromkeys(["generation:job_progress", "generation:job_clips", "generation:sample"], (OWNS, NONE)),
    **dict.fromkeys(["generation:run", "generation:run_progress", "generation:run_epochs"], (OWNS, NONE)),
    **dict.fromkeys(["generation:run_loss", "generation:corpus", "study:coverage"], (OWNS, NONE)),
    **dict.fromkeys(["generation:cancel_job", "generation:resume_run", "generation:sample_run"], (NONE, OWNS)),
    "generation:references": (NONE, OWNS),
    "study:import_columns": (OWNS, OWNS),
    # Studies
    **dict.fromkeys(["study:study", "study:opening", "study:progress", "study:results"], (SEES, NONE)),
    **dict.fromkeys(["study:analysis_progress", "study:takeaway", "study:table_csv"], (SEES, NONE)),
    **dict.fromkeys(["study:ratings_csv", "study:repeats_csv", "study:comments_csv"], (SEES, NONE)),
    **dict.fromkeys(["study:figure_spec", "study:figure_svg", "study:figure_pdf", "study:figure_png"], (SEES, NONE)),
    "study:analyse": (NONE, SEES),  # computing shows what is there
    "study:estimate": (CHANGES, NONE),
    **dict.fromkeys(["study:settings", "study:new_scale", "study:scale", "study:condition"], (CHANGES, CHANGES)),
    **dict.fromkeys(["study:remove_scale", "study:remove_condition", "study:remove_stimulus"], (CHANGES, CHANGES)),
    **dict.fromkeys(["study:clips", "study:label", "study:close", "study:unseal"], (CHANGES, CHANGES)),
    **dict.fromkeys(["study:move_scale", "study:move_condition", "study:move_stimulus"], (NONE, CHANGES)),
    **dict.fromkeys(["study:open", "study:open_again", "study:take_back", "study:new_condition"], (NONE, CHANGES)),
    "study:remove": (SHARES, SHARES),
}
# A page that is only there in one state of a study; the others are asked about each.
ABOUT = {
    **dict.fromkeys(["study:figure_spec", "study:figure_svg", "study:figure_pdf", "study:figure_png"], ("closed",)),
    "study:takeaway": ("closed",),
    "study:welcome": ("open",),
    "study:results": ("draft", "open"),
    # What is refused to editors of a draft says "frozen" (409) of any other study, before it asks whose it is.
    "study:remove": ("draft",),
}
SENT = {"study:simulate": {"n_sessions": 20, "n_clips": "6, 6", "difference": 1, "source": "typical"}}


def patterns(resolver, namespace="", route=""):
    """Yield (name, route) of every address."""
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from patterns(pattern, inner, here)
        else:
            yield namespace + str(pattern.name), here


PAGES = sorted({name for name, _ in patterns(get_resolver()) if not name.startswith("admin:")})
ADMIN_ROUTES = [(name, route) for name, route in patterns(get_resolver()) if name.startswith("admin:")]


def answered(response):
    place = response.headers.get("Location", "")
    if response.status_code == 302 and place.startswith(("/accounts/login/?next=", "/admin/login/?next=")):
        return "admin" if place.startswith("/admin") else "login"
    return {404: "hidden", 403: "refused", 405: "method"}.get(response.status_code, "in")


def ask(client, method, address, sent=None):
    """Return (answer, body), and leave everything as it was."""
    kept = client.cookies.copy()
    with transaction.atomic():
        response = client.generic(method, address) if sent is None else client.post(address, sent)
        body = response.getvalue().decode(errors="replace")
        transaction.set_rollback(True)
    client.cookies = kept
    return answered(response), body


def is_as_expected(expected, got, who):
    # A view may ask for the login before it looks at the method.
    return got == expected or (expected == "method" and got == "login" and who in ("anonymous", "participant"))


def test_every_page_is_listed():
    assert set(TABLE) == set(PAGES)


def test_everybody_is_answered_as_the_table_says(world):
    wrong, asked = [], 0
    for name in PAGES:
        for study in ABOUT.get(name, ("draft", "open") if name.startswith("study:") else ("draft",)):
            address = world.address(name, study)
            for method, expected in zip(("GET", "POST"), TABLE[name], strict=True):
                for who in EVERYBODY:
                    sent = SENT.get(name) if method == "POST" else None
                    got, body = ask(world.clients[who], method, address, sent)
                    asked += 1
                    if not is_as_expected(expected[who], got, who):
                        wrong.append(f"{method} {address} as {who}: {got}, not {expected[who]}")
                    if SECRET in body and (who in STRANGERS or got in ("login", "hidden", "method")):
                        wrong.append(f"{method} {address} tells {who} of Ada's things")

    assert "\n".join(wrong) == ""
    assert asked > 14 * len(PAGES)


def test_no_page_is_a_fault_where_every_file_is_gone(world, settings, tmp_path):
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        file.unlink()
    settings.CORPUS_DIR = settings.RUN_DIR = tmp_path / "nowhere"
    client = world.clients["owner"]
    client.raise_request_exception = False

    answers = {}
    for name in PAGES:
        for study in ("draft", "open", "closed") if name.startswith("study:") else ("draft",):
            response = client.get(world.address(name, study))
            answers.setdefault(response.status_code, []).append((name, study))
            response.getvalue()  # reads a file to its end

    assert {code: pages for code, pages in answers.items() if code >= 500} == {
        503: [("healthz", "draft"), *(("study:sound", study) for study in ("draft", "open", "closed"))]
    }
    assert len(answers[200]) > 100


def test_what_strangers_are_not_told_is_on_the_owners_pages(world):
    for name in ("study:study", "study:results", "generation:clip", "generation:checkpoint", "generation:jobs"):
        assert SECRET in ask(world.clients["owner"], "GET", world.address(name, "draft"))[1]


def admin_address(route):
    return "/" + (
        route.replace("<path:content_type_id>/<path:object_id>", "1/1")
        .replace("<path:object_id>", "1")
        .replace("<id>", "1")
        .replace("^(?P<app_label>auth|django_tasks_database|axes|accounts|generation)/$", "accounts/")
        .replace("(?P<url>.*)$", "nowhere/")
    )


def test_the_admin_is_there_for_staff_alone(world):
    wrong = []
    for name, route in ADMIN_ROUTES:
        if name in ("admin:login", "admin:logout"):
            continue
        for who in set(EVERYBODY) - {"staff"}:
            for method in ("GET", "POST"):
                got, body = ask(world.clients[who], method, admin_address(route))
                if got not in ("admin", "hidden", "method") or SECRET in body:
                    wrong.append(f"{method} {route} as {who}: {got}")

    assert wrong == []
    assert len(ADMIN_ROUTES) > 40
    assert ask(world.clients["staff"], "GET", "/admin/")[0] == "in"
