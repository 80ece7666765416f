import numpy as np

from keras_bert.metrics import Perplexity


def test_perplexity_is_the_exponential_of_the_weighted_mean_over_all_batches():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 7, [5, 3])
    logits = generator.normal(size=[5, 3, 7]).astype("float32")
    weights = generator.uniform(size=[5, 3]).astype("float32")
    metric = Perplexity()
    for part in (slice(0, 2), slice(2, 5)):
        metric.update_state(labels[part], logits[part], weights[part])
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, labels[..., None], -1)[..., 0]
    expected = np.exp((weights * losses).sum() / weights.sum())
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_perplexity_comes_back_from_its_config():
    assert Perplexity.from_config(Perplexity(name="p").get_config()).name == "p"
