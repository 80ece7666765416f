import pytest

from keras_bert.tasks import progress

PARTS = [([0, 2], "ab"), ([1], "c")]


@pytest.mark.parametrize(
    ("asked", "watched", "patience", "shows"),
    [
        (True, False, 9e9, True),
        (False, True, -1.0, False),
        (None, True, -1.0, True),
        (None, True, 9e9, False),
        (None, False, -1.0, False),
    ],
)
def test_a_bar_is_shown_where_it_is_wanted(monkeypatch, capsys, asked, watched, patience, shows):
    monkeypatch.setattr(progress, "PATIENCE", patience)
    monkeypatch.setattr(progress, "is_watched", lambda: watched)
    assert list(progress.with_bar(PARTS, 3, asked)) == PARTS
    shown = capsys.readouterr().out
    assert ("3/3" in shown) == shows and (shows or not shown)


def test_a_log_has_lines(monkeypatch, caplog, capsys):
    monkeypatch.setattr(progress, "LINE_S", -1.0)
    with caplog.at_level("INFO", logger="absl"):
        assert list(progress.with_bar(PARTS, 3)) == PARTS
    lines = [one.getMessage() for one in caplog.records]
    assert lines == ["2 of 3 examples are done.", "3 of 3 examples are done."]
    assert not capsys.readouterr().out
