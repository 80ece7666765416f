"""What setup.cfg cannot say: where the binaries are, and the README as an index shows it."""

import configparser
import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).resolve().parent
# Of Markdown: an image or not, what is shown, and where it leads within the repository.
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def long_description(readme: str, source: str | None) -> str:
    """The README without links that are dead outside of the repository.

    Args:
        readme: str, Markdown.
        source: str, the repository's URL, under which its files are; None leaves plain words.
    """
    if source is None:
        return LINK.sub(lambda link: "" if link[1] else link[2], readme)
    base = f"{source.removesuffix('/')}/blob/HEAD"
    return LINK.sub(lambda link: f"{link[1]}[{link[2]}]({base}/{link[3]})", readme)


def source_of(config: str) -> str | None:
    """The URL that setup.cfg's `project_urls` calls `Source`, if any."""
    parser = configparser.ConfigParser()
    parser.read_string(config)
    lines = parser.get("metadata", "project_urls", fallback="").splitlines()
    urls = dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)
    return urls.get("Source")


if __name__ == "__main__":
    readme, config = ((ROOT / name).read_text("utf-8") for name in ("README.md", "setup.cfg"))
    train = ("keras_bert.train", "keras_bert.train.*")
    found = setuptools.find_packages(include=["keras_bert*"], exclude=train)
    setuptools.setup(
        long_description=long_description(readme, source_of(config)),
        # The binaries are installed inside the package. keras_bert/train, a link by which the
        # checkout has them there too, is not asked: where links become files they are installed.
        packages=[*found, "keras_bert.train"],
        package_dir={"keras_bert.train": "train"},
    )
