import keras_bert as kb


def test_flops_are_those_of_the_products():
    """Against a count of every product of a forward pass of mini, matrix by matrix."""
    config = kb.BertConfig.preset("mini")
    hidden, heads, length, predictions = 256, 4, 128, 20
    head, products = hidden // heads, []
    for positions in (length, length, length, predictions):  # those that a block is read in
        products += [(length, hidden, hidden)] * 2 + [(positions, hidden, hidden)] * 2
        products += [(positions, hidden, 1024), (positions, 1024, hidden)]
        products += [(positions, head, length), (positions, length, head)] * heads
    products += [(predictions, hidden, hidden), (predictions, hidden, config.vocabulary_size)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(config, length, predictions) == expected


def test_flops_are_those_of_the_families_own_products():
    """Against a count of every product of a forward pass, of tokens that are near where local."""
    length, predictions = 300, 7
    electra = kb.ElectraConfig(num_layers=1, vocabulary_size=97)
    products = [(length, 128, 256), *[(length, 256, 256)] * 2, *[(predictions, 256, 256)] * 2]
    products += [(predictions, 256, 1024), (predictions, 1024, 256)]
    products += [(predictions, 256, length), (predictions, length, 256)]  # of all heads together
    products += [(predictions, 256, 128), (predictions, 128, 97)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(electra, length, predictions) == expected
    modern = kb.ModernBertConfig(num_layers=2, vocabulary_size=97)
    products = []
    for positions, seen in ((length, length), (predictions, 129)):
        products += [(length, 768, 768)] * 2 + [(positions, 768, 768)] * 2
        products += [(positions, 768, 2 * 1152), (positions, 1152, 768)]
        products += [(positions, 768, seen), (positions, seen, 768)]
    products += [(predictions, 768, 768), (predictions, 768, 97)]
    expected = 3 * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(modern, length, predictions) == expected
