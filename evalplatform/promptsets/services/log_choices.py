"""What a person chooses on the page for a build from a log, and the recipe that it makes."""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.outside import Server
from evalplatform.promptsets.building.recipe import Choices, Recipe
from evalplatform.promptsets.building.wordlists import OURS, read_words

LISTS = {
    "categories": "toml",
    "unsafe": "toml",
    "keywords": "toml",
    "stylized": "toml",
    "names": "txt",
}
"""Lists of one's own that may take the place of ours, with their files' endings."""
MOST_LIST_BYTES = 256 * 2**10


@dataclass(frozen=True)
class LogChoices:
    """What a person chooses on the page; `building.recipe.Choices` says what each does.

    Attributes:
        column, category_column: which hold the prompts and their categories; "": by their names.
        shares: weights by category; empty: as our list has them. Not read where `lists` has
            categories, which have shares of their own.
        lists: contents of the files of one's own lists, by the names of `LISTS`.
        moderate, reword: whether the servers that the site names have a say.
    """

    column: str = ""
    category_column: str = ""
    size: int = 2100
    seed: int = 0
    languages: tuple[str, ...] = ("en",)
    near: float = 0.8
    strip: bool = True
    shares: dict[str, float] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    moderate: bool = False
    reword: bool = False


def stored_choices(stored: dict[str, Any]) -> LogChoices:
    """Return choices as they were stored with a build; the usual ones of none."""
    return LogChoices(**{**stored, "languages": tuple(stored.get("languages", ("en",)))})


def list_of_file(name: str, content: bytes) -> str:
    """Return the text of a file that is brought as one's own list `name`.

    Raises `BadInputError` where it is too large, or no such list.
    """
    if len(content) > MOST_LIST_BYTES:
        raise BadInputError(
            f"{name}: {len(content):,} bytes; a list of at most {MOST_LIST_BYTES:,} is taken here; "
            "ask an operator to build a set with a longer one (docs/prompts.md)."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{name}: the file is not UTF-8; save it as such.") from error
    if "\0" in text:
        raise BadInputError(f"{name}: the file holds a NUL, so it is no text.")
    with tempfile.TemporaryDirectory(prefix="lists-") as folder:
        recipe = recipe_of(LogChoices(lists={name: text}), Path(folder))
        # Read, so that what is wrong is said now and not by a worker later.
        recipe.as_dict()
        recipe.unsafe_words, recipe.stylized_words, recipe.known_names  # noqa: B018
    return text


def recipe_of(choices: LogChoices, folder: Path) -> Recipe:
    """Return the recipe; lists that are not ours, or ours with other shares, lie in the folder.

    Raises `BadInputError` for a choice or a list that is none.
    """
    chosen = Choices(
        size=choices.size, seed=choices.seed, languages=choices.languages, near=choices.near,
        pool=max(50_000, choices.size), strip=choices.strip,
    )  # fmt: skip
    texts = dict(choices.lists)
    ours = category_shares()
    shares = ours | {name: each for name, each in choices.shares.items() if name in ours}
    if "categories" not in texts and shares != ours:
        texts["categories"] = _toml(shares)
    paths = {}
    for name, text in texts.items():
        paths[name] = folder / f"{name}.{LISTS[name]}"
        paths[name].write_text(text, encoding="utf-8")
    read_words.cache_clear()  # it knows files by their names
    return Recipe(chosen, **paths)


def category_shares() -> dict[str, float]:
    """Return the weight of each category of our list, in its order."""
    tables = read_words(OURS / "categories.toml").tables
    return {name: float(table.get("share", 1)) for name, table in tables.items()}


def _toml(shares: dict[str, float]) -> str:
    """Our list of categories with other shares."""
    lines = []
    for name, table in read_words(OURS / "categories.toml").tables.items():
        table = table | {"share": shares[name]}
        lines.append(f"[{json.dumps(name)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def paraphrase_server() -> Server | None:
    """Return the server by which this site rewords prompts; None where it names none."""
    return _server(settings.PARAPHRASE_URL, settings.PARAPHRASE_MODEL, "PARAPHRASE")


def moderation_server() -> Server | None:
    """Return the server by which this site has prompts judged; None where it names none."""
    return _server(settings.MODERATION_URL, settings.MODERATION_MODEL, "MODERATION")


def _server(url: str, model: str, what: str) -> Server | None:
    key: str = getattr(settings, f"{what}_API_KEY")
    return Server(url, model, key) if url else None
