from training import code_version


def test_the_code_is_told_apart_by_what_it_consists_of(tmp_path, monkeypatch):
    (tmp_path / "music").mkdir()
    (tmp_path / "training" / "networks").mkdir(parents=True)
    monkeypatch.setattr(code_version, "ROOT", tmp_path)
    seen = [code_version.fingerprint.__wrapped__()]

    for name, text in [("music/a.py", "x"), ("training/networks/b.py", "x"), ("music/a.py", "y"), ("music/c.txt", "z")]:
        (tmp_path / name).write_text(text)
        seen.append(code_version.fingerprint.__wrapped__())

    assert len(set(seen)) == 4  # what is no source changes nothing
    assert seen[3] == seen[4]


def test_this_code_has_a_short_name():
    assert len(code_version.fingerprint()) == 12
