import pytest

from keras_bert.lite.examples import as_examples

PAIR = {"question": 1, "context": 1}


@pytest.mark.parametrize(
    "given",
    [
        [("who", "ann"), ("what", "film")],
        (["who", "what"], ["ann", "film"]),
        {"question": ["who", "what"], "context": ["ann", "film"], "other": [1, 2]},
        [{"question": b"who", "context": "ann"}, {"question": "what", "context": "film", "x": 3}],
    ],
)
def test_several_examples(given):
    wanted = [{"question": "who", "context": "ann"}, {"question": "what", "context": "film"}]
    assert as_examples(given, PAIR, {}) == (wanted, False)


@pytest.mark.parametrize("given", [("who", "ann"), {"question": "who", "context": "ann"}])
def test_one_example(given):
    assert as_examples(given, PAIR, {}) == ([{"question": "who", "context": "ann"}], True)


def test_words_in_place_of_a_text():
    text, words = {"text": 1}, {"words": 2}
    assert as_examples([["ann", "lee"], "ann"], text, words)[0] == [
        {"words": ["ann", "lee"]},
        {"text": "ann"},
    ]
    assert as_examples({"words": ["ann"]}, text, words) == ([{"words": ["ann"]}], True)
    assert as_examples({"words": [["ann"], []]}, text, words)[0] == [
        {"words": ["ann"]},
        {"words": []},
    ]


@pytest.mark.parametrize("given", [3, None, [3], [("a", "b", "c")], {"question": "who"}, ["who"]])
def test_what_is_no_example_is_told(given):
    with pytest.raises(ValueError, match=r"must be a dict with 'question' \(a text\), 'context'"):
        as_examples(given, PAIR, {})
