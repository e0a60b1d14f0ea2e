"""Who changed what stays written, whatever becomes of it."""

import pytest

from accounts.models import Change

pytestmark = pytest.mark.django_db


def test_a_change_says_who_did_what_to_which_and_when(ada, ben):
    change = Change.objects.note(ada, "suspended", ben, reason="left")

    change.refresh_from_db()
    assert (change.researcher, change.deed, change.kind, change.title) == (ada, "suspended", "researcher", "ben")
    assert (change.details, str(change)) == ({"reason": "left"}, "ben: suspended")


def test_the_changes_of_a_thing_come_latest_first_and_outlive_it(ada, django_user_model):
    eve, other = (django_user_model.objects.create_user(name) for name in ("eve", "other"))
    for deed, subject in (("invited", eve), ("invited", other), ("suspended", eve)):
        Change.objects.note(None, deed, subject)
    key = eve.pk
    eve.delete()
    eve.pk = key

    assert [change.deed for change in Change.objects.about(eve)] == ["suspended", "invited"]
