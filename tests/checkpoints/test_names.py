import pytest

import keras_bert as kb
from keras_bert.checkpoints.names import encoder_names, pretraining_names

NAMES = (*encoder_names(2), *pretraining_names())


@pytest.mark.parametrize("form", ["ours", "google", "hub"])
def test_every_weight_has_one_name_in_every_form(form):
    names = [getattr(name, form) for name in NAMES]
    assert len(set(names)) == len(names)


def test_the_table_covers_every_weight_of_the_models():
    config = kb.BertConfig(
        vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    )
    for norm_first, without in ((False, {"norm/gamma", "norm/beta"}), (True, None)):
        config = kb.BertConfig(**{**config.__dict__, "norm_first": norm_first})
        model = kb.BertPretrainer(kb.BertEncoder(config))
        without = without or {"embeddings/norm/gamma", "embeddings/norm/beta"}
        assert {w.path for w in model.weights} == {name.ours for name in NAMES} - without


def test_google_names_are_those_of_its_checkpoints(shared):
    import tensorflow as tf

    folder = shared / "golden" / "google_bert_3x48"
    theirs = {name for name, _ in tf.train.list_variables(str(folder / "bert_model.ckpt"))}
    names = (*encoder_names(3), *pretraining_names())
    ours = {name.google for name in names if not name.ours.startswith("norm/")}
    slots = {name for name in theirs if name.endswith(("adam_m", "adam_v"))}
    assert ours == theirs - slots - {"global_step"}


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_table_says_every_shape(norm_first):
    config = kb.BertConfig(
        vocabulary_size=97,
        num_layers=2,
        num_heads=3,
        hidden_dim=15,
        intermediate_dim=31,
        norm_first=norm_first,
    )
    model = kb.BertPretrainer(kb.BertEncoder(config))
    shapes = {name.ours: name.shape for name in NAMES}
    for weight in model.weights:
        sizes = [getattr(config, s) if isinstance(s, str) else s for s in shapes[weight.path]]
        assert tuple(sizes) == tuple(weight.shape), weight.path
