"""Shows the examples of docstrings as code, though they are not indented under their heading."""

import re

import griffe

_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Examples(griffe.Extension):
    """Puts fences around each block of prompts and what they print."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            fenced = _EXAMPLE.sub(lambda block: f"```pycon\n{block[0]}\n```", obj.docstring.value)
            obj.docstring.value = fenced
