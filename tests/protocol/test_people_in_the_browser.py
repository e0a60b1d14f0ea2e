"""From an invitation to a shared study, as three people do it in their browsers; and every page of it for everybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from accounts.models import Change, Invitation, Share
from accounts.people import reset_address


@pytest.fixture
def sue(transactional_db, django_user_model):
    return django_user_model.objects.create_superuser("sue", password="looks after it", last_login="2026-03-01T12:00Z")


def log_in(page, site, name, password):
    page.goto(f"{site}/accounts/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Studies").wait_for()


def invited(page, site):
    """The link that Sue's page shows, once."""
    log_in(page, site, "sue", "looks after it")
    page.get_by_role("link", name="sue").click()
    page.get_by_role("link", name="People").click()
    page.get_by_label("For whom").fill("Cleo")
    page.get_by_role("button", name="Make a link").click()
    page.get_by_text("It works once, within seven days").wait_for()
    return page.locator("#address").inner_text()


def join(page, link):
    page.goto(link)
    page.get_by_label("User name").fill("cleo")
    page.get_by_label("Password", exact=True).fill("a long enough one")
    page.get_by_label("Password confirmation").fill("a long enough one")
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Welcome, cleo.").wait_for()


def test_somebody_is_invited_and_a_study_is_shared_with_them(live_server, new_page, sue, draft):
    sues, cleos, adas = new_page(), new_page(), new_page()
    join(cleos, invited(sues, live_server.url))

    log_in(adas, live_server.url, "ada", "analytical engine")
    adas.get_by_role("link", name="Pilot").click()
    adas.get_by_role("link", name="Share").first.click()
    adas.get_by_label("User name").fill("cleo")
    adas.get_by_label("May change it too").check()
    adas.get_by_role("button", name="Share").click()
    adas.get_by_role("row", name="cleo editor").wait_for()

    cleos.reload()
    cleos.get_by_role("link", name="Pilot").click()
    cleos.get_by_role("link", name="Settings").click()
    cleos.get_by_label("Title").first.fill("Ours")
    cleos.get_by_role("button", name="Save").click()
    cleos.get_by_text("cleo changed the settings").wait_for()

    adas.get_by_role("button", name="Stop sharing with cleo").click()
    adas.get_by_text("cleo no longer has it.").wait_for()
    assert cleos.reload().status == 404

    sues.get_by_role("link", name="People").click()
    sues.get_by_role("link", name="Suspend cleo").click()
    sues.get_by_role("button", name="Suspend").click()
    sues.get_by_role("link", name="Restore cleo").wait_for()
    cleos.goto(f"{live_server.url}/studies/")
    cleos.get_by_role("heading", name="Log in").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_people_is_usable_by_keyboard_and_screen_reader(
    live_server, new_page, sue, ada, draft, width, scheme
):
    page, stranger = (new_page(width=width, color_scheme=scheme) for _ in range(2))
    _, token = Invitation.objects.invite(sue, "Cleo, of the choir in Leipzig, whose name is long")
    Share.objects.give(draft, sue, "viewer")
    Change.objects.note(sue, "suspended", ada)
    log_in(page, live_server.url, "ada", "analytical engine")
    seen = {"/accounts/": page, "/accounts/log/": page, "/accounts/password/": page}
    seen |= {f"/studies/{draft.slug}/sharing/": page}
    staff = new_page(width=width, color_scheme=scheme)
    log_in(staff, live_server.url, "sue", "looks after it")
    seen |= {"/accounts/people/": staff, f"/accounts/people/{ada.pk}/suspend/": staff, f"/studies/{draft.slug}/": staff}
    public = ("/accounts/login/", "/accounts/forgotten/", "/accounts/forgotten/sent/", reset_address(ada))
    seen |= dict.fromkeys((*public, f"/accounts/invitation/{token}/", "/accounts/invitation/unknown/"), stranger)

    found = {}
    for address, reader in seen.items():
        reader.goto(live_server.url + address)
        found[address] = [violation["id"] for violation in Axe().run(reader).response["violations"]]
        if reader.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found[address].append("wider than the window")

    assert found == {address: [] for address in seen}
