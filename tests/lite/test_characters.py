import re

import pytest
import tensorflow as tf

from keras_bert.lite import characters
from keras_bert.text import added_tokens, byte_cutter, normalization

EVERY = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
CLASSES = {
    "DROPPED": f"[{normalization._DROPPED}]",
    "SPACES": f"[{normalization._SPACES}]",
    "MARKS": f"[{normalization._MARKS}]",
    "PUNCTUATION": f"[{normalization._PUNCTUATION}]",
    "CJK": f"[{normalization.CJK}]",
    "WORD": added_tokens._WORD,
    "BLANKS": f"[{byte_cutter.SPACES}]",
    "LETTERS": f"[{byte_cutter._LETTERS}]",
    "NUMBERS": f"[{byte_cutter._NUMBERS}]",
}


def some(texts):
    return texts[::61] + [chr(c) for c in range(1, 0x3000)]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("chosen", [some, pytest.param(list, marks=pytest.mark.slow)])
def test_classes_are_those_of_the_graph(name, chosen):
    texts = chosen(EVERY)
    wanted = tf.strings.regex_full_match(texts, CLASSES[name]).numpy()
    pattern = re.compile(f"[{getattr(characters, name)}]")
    found = [pattern.fullmatch(text) is not None for text in texts]
    assert [t for t, a, b in zip(texts, wanted, found, strict=True) if a != b] == []
