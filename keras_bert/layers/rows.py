"""Rows of a matrix by their indices, and several rows for one example: choices, or windows."""

from __future__ import annotations

from keras import ops

from keras_bert.layers.configured import Configured, registered


@registered
class FlattenRows(Configured):
    """Makes rows of every example rows of the batch, as an encoder takes them.

    Args (call):
        x: [B, R, T], R rows of every example.

    Returns:
        [B*R, T].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rows import FlattenRows
    >>> tuple(FlattenRows(dtype="int32")(np.zeros([2, 3, 7], "int32")).shape)
    (6, 7)
    """

    def call(self, x):
        # How many there are stays known where it is: LiteRT asks for it.
        rows = -1 if None in x.shape[:2] else x.shape[0] * x.shape[1]
        return ops.reshape(x, (rows, ops.shape(x)[-1]))

    def compute_output_shape(self, x_shape):
        return (None, x_shape[-1])


@registered
class GatherRows(Configured):
    """Puts what was said of rows back to their example: the way back of `FlattenRows`.

    Args (call):
        x: float [B*R, C].
        padding_mask: int [B, R, T], 1 where there is a token.

    Returns:
        float [B, R, C].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rows import GatherRows
    >>> tuple(GatherRows()(np.zeros([6, 5]), np.ones([2, 3, 7], "int32")).shape)
    (2, 3, 5)
    """

    def call(self, x, padding_mask):
        return ops.reshape(x, (-1, ops.shape(padding_mask)[1], x.shape[-1]))

    def compute_output_shape(self, x_shape, padding_mask_shape):
        return (*padding_mask_shape[:2], x_shape[-1])


@registered
class MeanOfRows(Configured):
    """The mean over those rows of every example that hold something.

    Args (call):
        x: float [B, R, C].
        padding_mask: int [B, R, T], 1 where there is a token; a row's first one tells.

    Returns:
        float [B, C].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rows import MeanOfRows
    >>> x, mask = np.array([[[1.0], [3.0], [7.0]]]), np.array([[[1, 1], [1, 0], [0, 0]]])
    >>> np.asarray(MeanOfRows()(x, mask)).tolist()
    [[2.0]]
    """

    def call(self, x, padding_mask):
        exists = ops.cast(padding_mask[:, :, :1], x.dtype)
        # At least 1, so that an example without a row, which fills up a batch, gives zeros.
        return ops.sum(x * exists, axis=1) / ops.maximum(ops.sum(exists, axis=1), 1.0)

    def compute_output_shape(self, x_shape, padding_mask_shape):
        # Said, since of one number Keras does not know that it stays one.
        return (x_shape[0], x_shape[-1])


def gather(x, rows):
    """Some rows of a matrix.

    Args:
        x: [M, D].
        rows: int [n], their indices, in any order; None stands for all.

    Returns:
        [n, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rows import gather
    >>> np.asarray(gather(np.array([[1], [2], [3]]), np.array([2, 0]))).tolist()
    [[3], [1]]
    """
    return x if rows is None else ops.take(x, rows, axis=0)


def scatter(x, rows, num_rows):
    """The way back of `gather`: a matrix of zeros but for the rows given.

    Args:
        x: [n, D].
        rows: int [n], their indices, all different; None where x is the matrix.
        num_rows: int, M.

    Returns:
        [M, D].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.rows import scatter
    >>> np.asarray(scatter(np.array([[3], [1]]), np.array([2, 0]), 3)).tolist()
    [[1], [0], [3]]
    """
    if rows is None:
        return x
    return ops.scatter(rows[:, None], x, (num_rows, x.shape[-1]))
