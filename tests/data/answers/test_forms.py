"""A form for each name."""

import json
import sys

import pytest

from keras_bert.data.answers.forms import SUFFIXES, form_of_answers, opened_for_rows


def test_names_say_forms(monkeypatch):
    assert [form_of_answers(f"a.b{suffix.upper()}") for suffix in (".csv", ".npz")] == [
        *("csv", "npz")
    ]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match="pip install"):
        form_of_answers("a.parquet")
    for name in ("a.txt", "a", "a.csv.gz"):
        with pytest.raises(ValueError, match=f"{name} ends in .*: name it so"):
            form_of_answers(name)


@pytest.mark.parametrize("suffix", [s for s, form in SUFFIXES.items() if form in ("jsonl", "tsv")])
def test_rows_are_written_in_the_form_of_the_name(tmp_path, suffix):
    with opened_for_rows(tmp_path / f"a{suffix}", {"a": [], "b": []}) as write:
        write([{"b": 2, "a": 1}])
    text = (tmp_path / f"a{suffix}").read_text()
    assert text == "a\tb\n1\t2\n" or json.loads(text) == {"a": 1, "b": 2}


def test_arrays_are_no_rows(tmp_path):
    with pytest.raises(ValueError, match=r"a\.npy would hold an array"):
        opened_for_rows(tmp_path / "a.npy", {})
