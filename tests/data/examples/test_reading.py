import dataclasses

import pytest

from keras_bert.data.examples.dialects import Dialect
from keras_bert.data.examples.readers import FORMS
from keras_bert.data.examples.reading import OF_WORDS, TOLD, Reading


def test_what_is_said_is_what_is_not_none():
    assert TOLD.given() == () and Reading(form="csv").given() == ()
    values = {f.name: "x" for f in dataclasses.fields(Reading)}
    assert Reading(**values).given() == tuple(name for name in values if name != "form")
    assert Reading(quoted=False, columns=()).given() == ("columns", "quoted")


def test_a_dialect_is_a_part_of_it():
    reading = Reading(form="tsv", delimiter=";", quoted=True, encoding="cp1252", word_column=1)
    assert reading.dialect() == Dialect(delimiter=";", quoted=True, encoding="cp1252")
    assert reading.dialect("csv").form == "csv"
    assert TOLD.dialect() == Dialect()


def test_what_is_of_no_use_is_named_by_its_flag():
    reading = Reading(delimiter=";", word_column=2)
    reading.check_use(("delimiter", "word_column", "encoding"), "a.conll", "conll")
    message = r"a\.csv is of the form csv, .* no use for word_column: leave out --word_column"
    with pytest.raises(ValueError, match=message):
        reading.check_use(("delimiter",), "a.csv", "csv")


def test_every_form_uses_what_there_is():
    names = {f.name for f in dataclasses.fields(Reading)}
    assert set(OF_WORDS) <= names
    for form in FORMS.values():
        assert "encoding" in form.uses and set(form.uses) <= names
