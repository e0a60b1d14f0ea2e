from study.models import Rating, Session


def stored(study):
    """[(position, value)] in the order of position."""
    return list(
        Rating.objects.filter(trial__session__study=study)
        .order_by("trial__position")
        .values_list("trial__position", "value")
    )


def test_a_participant_hears_each_clip_once_and_rates_it(db, make_study, listener_of):
    study = make_study({"A": 2, "B": 1})
    listener = listener_of(study)
    listener.begin()

    heard = set()
    for value in ("7", "1", "10"):
        heard.add(b"".join(listener.client.get(listener.sound_address).streaming_content))
        listener.rate(overall=value)

    assert stored(study) == [(1, 7), (2, 1), (3, 10)]
    assert "All 3 ratings are stored." in listener.text
    session = Session.objects.get()
    assert sorted(session.trials.values_list("stimulus__label", flat=True)) == ["A 1", "A 2", "B 1"]
    assert session.finished_at is not None
