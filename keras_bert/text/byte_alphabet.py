"""GPT-2's byte alphabet, in which files spell pieces: a printable character for every byte."""

from __future__ import annotations

# Bytes that Latin-1 prints stand for themselves, the others for what follows U+00FF.
_PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = [byte for byte in range(256) if byte not in _PRINTED]
BYTES = tuple(chr(byte if byte in _PRINTED else 0x100 + _OTHERS.index(byte)) for byte in range(256))
_VALUE_OF = {character: byte for byte, character in enumerate(BYTES)}


def spelled(content: bytes) -> str:
    """Bytes as pieces spell them, one character each.

    As in OpenAI's `bytes_to_unicode` (GPT-2's encoder.py).

    Example:

    >>> from keras_bert.text.byte_alphabet import spelled
    >>> spelled(" naïve".encode())
    'ĠnaÃ¯ve'
    """
    return "".join(BYTES[byte] for byte in content)


def bytes_of(piece: str) -> bytes:
    """The bytes that a piece spells.

    Raises:
        ValueError: it has a character that stands for no byte.

    Example:

    >>> from keras_bert.text.byte_alphabet import bytes_of
    >>> bytes_of("ĠnaÃ¯ve").decode()
    ' naïve'
    """
    try:
        return bytes(_VALUE_OF[character] for character in piece)
    except KeyError as error:
        raise ValueError(
            f"A piece must be spelled in GPT-2's byte alphabet; {error.args[0]!r} in {piece!r:.80} "
            "stands for no byte. Take the files of a byte-level vocabulary."
        ) from error
