"""What a training runs on, as its flags say it."""

import pytest
import tensorflow as tf

from train.devices import Devices, in_scope


@pytest.mark.parametrize(("name", "number"), [("auto", 1), ("none", 1), ("mirrored", 2)])
def test_models_are_built_on_the_devices_that_the_flags_name(name, number):
    with in_scope(Devices(strategy=name)):
        assert tf.distribute.get_strategy().num_replicas_in_sync == number
    assert tf.distribute.get_strategy().num_replicas_in_sync == 1


def test_a_cpu_that_is_in_use_is_not_split():
    with pytest.raises(ValueError, match="before the first of them is used"):
        in_scope(Devices(logical_devices=3)).__enter__()
