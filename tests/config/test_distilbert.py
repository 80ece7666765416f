import keras_bert as kb


def test_the_published_size_has_half_of_berts_blocks():
    config = kb.DistilBertConfig.preset("base")
    assert (config.num_layers, config.hidden_dim, config.num_heads) == (6, 768, 12)
    assert config == kb.DistilBertConfig()
