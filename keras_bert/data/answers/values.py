"""Values as files hold them: what JSON has no word for, and numbers as short as they are exact."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

# What a cell of a table holds as it is.
_PLAIN = (str, int, float, bool, type(None))


def as_json(value: Any) -> str:
    """A value as JSON on one line; of other libraries' values the plain ones, and bytes as text.

    Example:

    >>> import numpy as np
    >>> from keras_bert.data.answers.values import as_json
    >>> as_json({"vector": np.ones(2), "text": "déjà vu", "bytes": b"a"})
    '{"vector": [1.0, 1.0], "text": "déjà vu", "bytes": "a"}'
    """
    return json.dumps(value, ensure_ascii=False, default=_known)


def as_cell(value: Any) -> Any:
    """A value as a cell of a table holds it: lists and objects as JSON.

    Example:

    >>> from keras_bert.data.answers.values import as_cell
    >>> as_cell("fine"), as_cell(None), as_cell([{"label": "LOC"}])
    ('fine', None, '[{"label": "LOC"}]')
    """
    value = _known(value) if not isinstance(value, (*_PLAIN, list, tuple, dict)) else value
    return value if isinstance(value, _PLAIN) else as_json(value)


def shortened(value: Any) -> Any:
    """A float32 that Python holds as a longer float, in the fewest digits; so in lists and dicts.

    Example:

    >>> import numpy as np
    >>> from keras_bert.data.answers.values import shortened
    >>> shortened({"probability": float(np.float32(0.7)), "label": "fine"})
    {'probability': 0.7, 'label': 'fine'}
    """
    if isinstance(value, float):
        return float(str(np.float32(value)))
    if isinstance(value, dict):
        return {name: shortened(one) for name, one in value.items()}
    return [shortened(one) for one in value] if isinstance(value, list | tuple) else value


def as_python(value: Any) -> Any:
    """A NumPy value as Python has it, bytes as text.

    Example:

    >>> import numpy as np
    >>> from keras_bert.data.answers.values import as_python
    >>> as_python(np.array([b"fine", b"film"])), as_python(np.float64(0.5))
    (['fine', 'film'], 0.5)
    """
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [as_python(one) for one in value] if isinstance(value, list) else value


def _known(value: Any) -> Any:
    """What JSON has no word for: values of other libraries, bytes, dates."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    value_of_array = value.numpy() if hasattr(value, "numpy") else value
    if hasattr(value_of_array, "tolist"):
        return value_of_array.tolist()
    for name in ("to_dicts", "to_pylist", "to_list"):
        if hasattr(value, name):
            return getattr(value, name)()
    return str(value)
