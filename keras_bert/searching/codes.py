"""Codes: vectors in fewer bytes, 8 bits a number or one, and what is nearest among them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_bert.tasks.search import blocks, search, unit

PRECISIONS = ("float32", "int8", "binary")
# Of binary codes so many times as many as are asked for are compared number by number.
RESCORED = 10
# Codes that are compared with a query at a time, and vectors by which codes are judged.
BLOCK, JUDGED = 1 << 16, 256


class Codes(NamedTuple):
    """Vectors as they are kept.

    Args:
        array: float [N, D]; int8 [N, D], numbers by the largest of all; or uint8 [N, ceil(D / 8)],
            their signs, eight in a byte.
        precision: str, one of `PRECISIONS`.
        dimensions: int, D.
    """

    array: np.ndarray
    precision: str
    dimensions: int

    @classmethod
    def of(cls, vectors: np.ndarray, precision: str = "float32") -> Codes:
        """The codes of vectors, float [N, D].

        Raises:
            ValueError: there is no such precision.

        Example:

        >>> import numpy as np
        >>> from keras_bert.searching.codes import Codes
        >>> vectors = np.array([[3.0, -4.0, 0.0], [-1.0, 0.5, 1.0]])
        >>> [Codes.of(vectors, name).array.tolist() for name in ("int8", "binary")]
        [[[95, -127, 0], [-106, 53, 106]], [[128], [96]]]
        """
        if precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}."
            )
        size = vectors.shape[1]
        if precision == "binary":
            return cls(np.packbits(vectors > 0, axis=1), precision, size)
        if precision == "int8":
            units = unit(vectors)
            # Lengths are nothing to cosines: one factor is enough, and need not be kept.
            largest = max(float(np.abs(units).max(initial=0.0)), 1e-12)
            return cls(np.rint(units * (127 / largest)).astype("int8"), precision, size)
        return cls(vectors, precision, size)

    def nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k that are most similar to each query: see `kb.search`.

        Of int8 all are compared with the query as it is. Of binary ones those whose signs differ in
        the fewest places are found first; these are rescored, the query with its numbers (Yamada et
        al. 2021, arXiv:2106.00882), and so their scores are lower than the vectors' cosines.

        Args:
            queries: float [Q, D].
            k: int from 1 to N.

        Returns:
            Pair of indices, int64 [Q, k], and scores, float32 [Q, k].

        Raises:
            ValueError: as of `kb.search`.

        Example:

        >>> import numpy as np
        >>> from keras_bert.searching.codes import Codes
        >>> vectors = np.array([[3.0, -4.0], [-1.0, 0.5], [-1.0, -1.0]])
        >>> codes = Codes.of(vectors, "binary")
        >>> codes.nearest(np.array([[1.0, -2.0]]), 1)[0].tolist()
        [[0]]
        """
        if self.precision != "binary":
            return search(queries, self.array, k)
        signs = np.packbits(queries > 0, axis=1)
        indices = np.empty([len(queries), k], "int64")
        scores = np.empty([len(queries), k], "float32")
        for i, (query, own) in enumerate(zip(unit(queries), signs, strict=True)):
            some = self._nearest_signs(own, min(RESCORED * k, len(self.array)))
            places, scores[i] = search(query, self._as_numbers(some), k)
            indices[i] = some[places]
        return indices, scores

    def recall(self, vectors: np.ndarray, k: int = 10) -> float:
        """The share of the k nearest to vectors that codes find, too; some are taken for queries.

        Args:
            vectors: float [N, D], what these codes are of.
            k: int; of fewer vectors as many as there are besides the query.
        """
        k = min(k, len(vectors) - 1)
        if k < 1:
            return 1.0
        chosen = np.linspace(0, len(vectors) - 1, min(JUDGED, len(vectors))).astype(int)
        # A vector is the nearest to itself, which shows nothing.
        exact, found = (
            [[j for j in row if j != i][:k] for i, row in zip(chosen, rows, strict=True)]
            for rows in (
                one.nearest(vectors[chosen], k + 1)[0].tolist() for one in (Codes.of(vectors), self)
            )
        )
        shared = [len({*one} & {*other}) / k for one, other in zip(exact, found, strict=True)]
        return float(np.mean(shared))

    def _nearest_signs(self, own: np.ndarray, number: int) -> np.ndarray:
        """Those whose signs differ in the fewest places, of equals the earlier ones, int64."""
        best = np.empty(0, "int64")
        for some in blocks(len(self.array), BLOCK):
            differ = np.bitwise_count(self.array[some] ^ own).sum(axis=1, dtype="int64")
            keys = differ * len(self.array) + np.arange(some.start, some.stop)
            best = np.concatenate([best, keys])
            if len(best) > number:
                best = np.partition(best, number - 1)[:number]
        return np.sort(best) % len(self.array)

    def _as_numbers(self, some: np.ndarray) -> np.ndarray:
        """Some of the signs, 1 or -1, float32 [n, D]."""
        bits = np.unpackbits(self.array[some], axis=1, count=self.dimensions)
        return bits.astype("float32") * 2 - 1
