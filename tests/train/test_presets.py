"""The names of presets are those of the configs."""

from typing import get_args

from keras_bert.checkpoints.fresh import FAMILIES, preset_of
from train.presets import Preset


def test_every_name_is_a_size_and_every_size_has_a_name():
    names = {
        f"{family}_{size}" if family else size
        for family, (config, _) in FAMILIES.items()
        for size in config.PRESETS
    }
    # Pieces as XLM-R has them are read, and not learned.
    assert names - {"roberta_xlm_base", "roberta_xlm_large"} == set(get_args(Preset))
    assert all(preset_of(name).num_layers > 0 for name in get_args(Preset))
