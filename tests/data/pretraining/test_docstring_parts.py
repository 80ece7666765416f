"""Parts of docstrings, in the styles of Google and of NumPy."""

import inspect

import pytest

from keras_bert.data.pretraining.docstring_parts import parts_of

GOOGLE = """
    Splits a text into words.

    This paragraph says more, and is no part.

    Args:
      text: A string, which may
        go on in another line.
      mode (str, optional): one of the three modes that there are.
      *rest: all other strings that are split.
      short: Too short.
    Returns:
      A list of strings that begins
      at the margin and goes on there.

      A second paragraph is left out of it.

    Raises:
      ValueError: if the mode is none of these.

    Example:
      No part of an example is taken from here.
    """
NUMPY = """
    Count the values of an array.

    Parameters
    ----------
    a : array_like
        Array whose values are to be counted.
    b, c : int, optional
        Two numbers below
        which nothing is counted.

        More of the same.

    Returns
    -------
    out : ndarray
        The number of each of the values.

    Raises
    ------
    TypeError
        If there is no order of the values.
    """


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (
            GOOGLE,
            [
                ("description", "Splits a text into words."),
                ("argument", "A string, which may go on in another line."),
                ("argument", "one of the three modes that there are."),
                ("argument", "all other strings that are split."),
                ("result", "A list of strings that begins at the margin and goes on there."),
                ("error", "if the mode is none of these."),
            ],
        ),
        (
            NUMPY,
            [
                ("description", "Count the values of an array."),
                ("argument", "Array whose values are to be counted."),
                ("argument", "Two numbers below which nothing is counted."),
                ("result", "The number of each of the values."),
                ("error", "If there is no order of the values."),
            ],
        ),
        ("Says nothing that ends", []),
        ("", []),
    ],
)
def test_parts_are_told_by_their_headings(docstring, expected):
    assert list(parts_of(inspect.cleandoc(docstring))) == expected
