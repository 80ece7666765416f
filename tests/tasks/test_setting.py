"""Settings: read, checked whenever they are set, and kept where they do not fit."""

import pytest

from keras_bert.tasks.setting import Setting, packer_of, settings_of


class Thing:
    """What has settings, as a task."""

    least = Setting(int)
    most = Setting()

    def check_settings(self):
        if self.least > self.most:
            raise ValueError(f"{self.least} > {self.most}")


class Derived(Thing):
    kind = Setting(fixed=True)


@pytest.fixture
def thing():
    thing = Derived()
    thing.least, thing.most, thing.kind = "3", 5, "a"
    return thing


def test_settings_are_those_of_all_classes(thing):
    assert settings_of(thing) == {"least": 3, "most": 5, "kind": "a"}


def test_what_does_not_fit_is_not_set(thing):
    with pytest.raises(ValueError, match="7 > 5"):
        thing.least = 7
    assert thing.least == 3
    thing.most = 9
    thing.least = 7.9
    assert thing.least == 7


def test_what_the_model_is_made_for_stays(thing):
    thing.kind = "a"
    with pytest.raises(ValueError, match="kind must stay 'a', .* but 'b' was set: make another"):
        thing.kind = "b"


def test_what_is_not_set_yet_is_told():
    with pytest.raises(AttributeError, match="most is not set yet"):
        _ = Derived().most
    assert isinstance(Thing.least, Setting)


def test_rows_have_all_positions_where_nothing_is_said(tokenizer, config):
    class Encoder:
        pass

    encoder = Encoder()
    encoder.config = config
    assert packer_of(encoder, tokenizer, {}).sequence_length == 23
    assert packer_of(encoder, tokenizer, {"sequence_length": 9}).sequence_length == 9
