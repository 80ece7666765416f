"""Writes the figures of benchmarks/results.jsonl, which `make bench` adds to, into the README.

    python -m benchmarks.table

Of each figure the newest is shown. What stands above the mark in benchmarks/README.md stays.
"""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator

from absl import app

RESULTS = pathlib.Path(__file__).with_name("results.jsonl")
README = pathlib.Path(__file__).with_name("README.md")
MARK = "<!-- below: written by benchmarks/table.py from benchmarks/results.jsonl -->\n"
# Said of a whole table, not of each row.
SHARED = ("name", "value", "unit", "date", "machine", "device", "versions")


def main(_: list[str]) -> None:
    figures = read_figures(RESULTS.read_text(encoding="utf-8").splitlines())
    text = README.read_text(encoding="utf-8")
    if MARK not in text:
        raise ValueError(f"{README} must hold the line {MARK.strip()!r}: put it back.")
    above = text.split(MARK)[0]
    README.write_text(above + MARK + "".join(tables(figures)), encoding="utf-8")
    print(f"{README}: {len(figures)} figures.")


def read_figures(lines: Iterable[str]) -> list[dict]:
    """The newest figure of each name, programs in the order of the alphabet."""
    newest: dict[str, dict] = {}
    for number, line in enumerate(lines, start=1):
        try:
            figure = json.loads(line)
            newest.pop(figure["name"], None)  # so that figures of one run stay together
            newest[figure["name"]] = figure
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{RESULTS}, line {number}: no figure, but {line!r}.") from error
    return sorted(newest.values(), key=program_of)


def tables(figures: list[dict]) -> Iterator[str]:
    """Markdown: a table for what one program measured on one machine on one day."""
    for program, group in itertools.groupby(figures, key=program_of):
        yield f"\n## {program}\n"
        for where, rows in itertools.groupby(group, key=where_of):
            yield f"\n{where}\n\n| figure | value | |\n|---|---|---|\n"
            for figure in rows:
                name = figure["name"].split("/", 1)[1]
                details = {key: value for key, value in figure.items() if key not in SHARED}
                said = ", ".join(f"{key} {shown(value)}" for key, value in details.items())
                yield f"| {name} | {shown(figure['value'])} {figure['unit']} | {said} |\n"


def program_of(figure: dict) -> str:
    return figure["name"].split("/")[0]


def where_of(figure: dict) -> str:
    machine = figure.get("device") or figure["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in figure["versions"].items())
    return f"{figure['date']}, {machine}. {versions}."


def shown(value: object) -> str:
    """`1234567.0` as 1,234,567; lists and dicts without quotes."""
    if isinstance(value, dict):
        return " ".join(f"{key} {shown(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " ".join(map(shown, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 1000 or isinstance(value, int) else f"{value:.4g}"
    return str(value)


if __name__ == "__main__":
    app.run(main)
