"""Building a prompt set from a log of what people asked for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from evalplatform.accounts.models import Project
from evalplatform.core.errors import BadInputError
from evalplatform.core.files import write_whole
from evalplatform.core.telling import tell_nobody
from evalplatform.promptsets.building import stages
from evalplatform.promptsets.building.funnel import as_json
from evalplatform.promptsets.building.lines import compared, is_stylized
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.outside import Server, drop_flagged, reword_chosen
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.stages import Say
from evalplatform.promptsets.building.workshop import Workshop
from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.reading.words import shown
from evalplatform.promptsets.services.importing import import_content

PROMPTS, FUNNEL, DROPPED = "prompts.jsonl", "funnel.json", "dropped.jsonl"


class NothingLeftError(BadInputError):
    """No line of a log is left; `funnel` says where they went."""

    def __init__(self, short: str, folder: Path, funnel: dict[str, Any]) -> None:
        super().__init__(
            f"{short}; see {FUNNEL} and {DROPPED} in {folder}, then loosen a rule or give another "
            "log."
        )
        self.short, self.funnel = short, funnel


@dataclass(frozen=True)
class BuildOptions:
    """What a build needs beside its log.

    Attributes:
        recipe: the rules and choices.
        folder: where prompts.jsonl, funnel.json and dropped.jsonl are written.
        moderation, paraphrase: servers that may judge and reword the chosen prompts.
        licence: of the prompts, kept with the set.
    """

    recipe: Recipe
    folder: Path
    moderation: Server | None = None
    paraphrase: Server | None = None
    licence: str = ""


@dataclass(frozen=True)
class BuiltSet:
    """A prompt set that was built, and its funnel."""

    prompt_set: PromptSet
    funnel: dict[str, Any]


class BuiltPrompts(NamedTuple):
    """Prompts that a build left in its folder, with what a set of them records."""

    recipe: dict[str, Any]
    funnel: dict[str, Any]


def build_prompt_set(
    *,
    project: Project,
    name: str,
    log: Log,
    options: BuildOptions,
    say: Say = tell_nobody,
) -> BuiltSet:
    """Build set `name` from a log and import it; stopped, the same call goes on.

    The same log, recipe and answers of servers give the same files to the byte. Raises
    `BadInputError`; what was done is kept in `options.folder`.
    """
    built = build_prompts(log=log, options=options, say=say)
    content = (options.folder / PROMPTS).read_bytes()
    prompt_set = keep_built(
        project=project, name=name, content=content, licence=options.licence, recipe=built.recipe
    )
    for left in options.folder.glob("work.sqlite*"):
        left.unlink()
    return BuiltSet(prompt_set, built.funnel)


def build_prompts(*, log: Log, options: BuildOptions, say: Say) -> BuiltPrompts:
    """Build prompts from a log in a folder; nothing is imported. As `build_prompt_set` else."""
    recipe = options.recipe
    if (options.folder / PROMPTS).exists() and not (options.folder / "work.sqlite").exists():
        raise BadInputError(
            f"{options.folder} holds a finished build; give another folder, or remove it."
        )
    say("reading", 0.0)
    origin = _origin(log, options)
    shop = Workshop(options.folder, recipe=_digest_of(recipe, options), log=origin["log_sha256"])
    try:
        funnel = _make(shop, log, options, say)
    finally:
        shop.close()
    write_whole(options.folder / FUNNEL, json.dumps({**origin, **funnel}, indent=1) + "\n")
    made_from = {**origin, "recipe": recipe.as_dict(), "funnel": funnel}
    return BuiltPrompts(made_from, funnel)


def keep_built(
    *, project: Project, name: str, content: bytes, licence: str, recipe: dict[str, Any]
) -> PromptSet:
    """Import prompts that were built, with how.

    Raises `BadInputError`, also where a set of the name has the same prompts from elsewhere.
    """
    return import_content(
        project=project, name=name, content=content, source=PROMPTS, licence=licence,
        recipe=json.loads(json.dumps(recipe)),
    ).prompt_set  # fmt: skip


def _make(shop: Workshop, log: Log, options: BuildOptions, say: Say) -> dict[str, Any]:
    recipe = options.recipe
    stages.read_log(shop, log, recipe, say)
    stages.drop_same(shop, say)
    stages.drop_near(shop, recipe, say)
    stages.draw_pool(shop, recipe, say)
    stages.assign_categories(shop, recipe)
    if shop.get("chosen") is None:
        balance = stages.balanced(shop, recipe)
        while options.moderation and drop_flagged(shop, options.moderation, say):
            balance = stages.balanced(shop, recipe)
        shop.put("balance", {name: list(each) for name, each in balance.items()})
        stages.drop_unchosen(shop)
    if options.paraphrase:
        reword_chosen(shop, recipe, options.paraphrase, say)
    balance = {name: stages.Balance(*each) for name, each in shop.get("balance").items()}
    counts = dict(sorted(shop.counts.items()))
    prompts = _prompts(shop, recipe)
    funnel = as_json(
        sum(counts.values()) + len(prompts), counts, balance,
        prompts=len(prompts), size=recipe.choices.size,
        stylized=sum(bool(each["tags"]) for each in prompts),
        reworded=sum(each["prompt"] != each["plain"] for each in prompts),
    )  # fmt: skip
    if not prompts:
        worst = max(counts, key=lambda each: counts[each], default="the log is empty")
        write_whole(options.folder / FUNNEL, json.dumps(funnel, indent=1) + "\n")
        raise NothingLeftError(
            f"no line of {log.path.name} is left, mostly for {shown(worst)}", options.folder, funnel
        )
    lines = (json.dumps(each, ensure_ascii=False) for each in prompts)
    write_whole(options.folder / PROMPTS, "".join(f"{each}\n" for each in lines))
    return funnel


def _prompts(shop: Workshop, recipe: Recipe) -> list[dict[str, Any]]:
    """The set's prompts in the order they were drawn."""
    found: list[dict[str, Any]] = []
    texts: set[str] = set()
    rows = shop.rows(
        "SELECT number, coalesce(nullif(said, ''), text), text, coalesce(original, text), category"
        " FROM line ORDER BY priority, number"
    )
    plain = {compared(text) for (text,) in shop.rows("SELECT text FROM line")}
    for number, said, text, original, category in rows:
        # Two that were reworded to the same keep their own words.
        prompt = text if said != text and compared(said) in texts | plain else said
        texts.add(compared(prompt))
        found.append(
            {
                "prompt": prompt,
                "category": category,
                "tags": ["stylized"] if is_stylized(prompt, recipe) else [],
                "note": f"log line {number}"
                + ("" if original == prompt else f"; there: {original}"),
                "plain": text,
                "original": original,
                "line": number,
            }
        )
    return found


def _origin(log: Log, options: BuildOptions) -> dict[str, Any]:
    """What the set is made from, beside the recipe."""
    asked = {"moderation": options.moderation, "paraphrase": options.paraphrase}
    return {
        "log": log.path.name,
        "log_sha256": log.sha256(),
        "recipe_sha256": options.recipe.digest(),
        "columns": dict(log.columns),
        **{what: server.model if server else None for what, server in asked.items()},
    }


def _digest_of(recipe: Recipe, options: BuildOptions) -> str:
    """What an unfinished build must have in common with the one that goes on with it."""
    servers = [each and (each.url, each.model) for each in (options.moderation, options.paraphrase)]
    return json.dumps([recipe.digest(), servers])
