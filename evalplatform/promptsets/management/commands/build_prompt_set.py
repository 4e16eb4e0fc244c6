"""Build a prompt set from a log of what people asked for."""

import argparse
import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.core.commands import PlatformCommand, columns_by_field
from evalplatform.core.words import counted
from evalplatform.promptsets.building.log import LOG_FORMATS, Log
from evalplatform.promptsets.building.outside import Server
from evalplatform.promptsets.building.recipe import Choices, Recipe
from evalplatform.promptsets.entrance import check_set_name
from evalplatform.promptsets.reading.columns import FIELDS
from evalplatform.promptsets.services import BuildOptions, BuiltSet, build_prompt_set

_LISTS = {
    "categories": "TOML of categories with their shares and words (default: ours)",
    "unsafe": "TOML of lists of words that drop a line (default: ours)",
    "keywords": "TOML of prompt engineering that is stripped (default: ours)",
    "stylized": "TOML of words that make a prompt stylized (default: ours)",
    "names": "file of names, one a line, that are personal data wherever they stand",
}


class Command(PlatformCommand):
    help = (
        "Build a prompt set from a LOG of real users' prompts: CSV, TSV, JSONL, text or Parquet, "
        "packed by gzip or not, of any length. Personal data, unsafe content, duplicates and "
        "prompt engineering go, categories are balanced, a set of --size is drawn and imported as "
        "NAME. Stopped, the same command goes on. See docs/prompts.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        usual = Choices()
        parser.add_argument("log", help="file of prompts", type=Path)
        parser.add_argument("--name", required=True, help="name of the prompt set")
        parser.add_argument(
            "--out", type=Path, help="folder of funnel.json and dropped.jsonl (default: NAME-build)"
        )
        parser.add_argument("--size", type=int, default=usual.size, help="prompts (default: 2100)")
        parser.add_argument("--seed", type=int, default=0, help="of the draw (default: 0)")
        parser.add_argument(
            "--language", action="append", metavar="CODE", help="kept; repeatable (default: en)"
        )
        parser.add_argument("--any-language", action="store_true", help="keep every language")
        parser.add_argument("--fewest-words", type=int, default=usual.fewest_words)
        parser.add_argument("--most-words", type=int, default=usual.most_words)
        parser.add_argument(
            "--near", type=float, default=usual.near,
            help="share of 5-grams from which texts are near duplicates; 1: none (default: 0.8)",
        )  # fmt: skip
        parser.add_argument("--pool", type=int, default=usual.pool, help=argparse.SUPPRESS)
        parser.add_argument(
            "--keep-keywords", action="store_true", help="do not strip prompt engineering"
        )
        for name, what in _LISTS.items():
            parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
        parser.add_argument("--format", choices=LOG_FORMATS, help="default: by the file's ending")
        parser.add_argument(
            "--column", action="append", default=[], metavar="FIELD=NAME",
            help=f"column that holds {', '.join(FIELDS[:2])}, where it is called otherwise",
        )  # fmt: skip
        parser.add_argument("--licence", default="", help="licence of the prompts")
        for what, does in (("paraphrase", "rewords"), ("moderation", "judges")):
            parser.add_argument(
                f"--{what}", metavar="URL",
                help=f"OpenAI-compatible server (…/v1) that {does} the chosen prompts; its key is "
                f"the environment variable {what.upper()}_API_KEY",
            )  # fmt: skip
        parser.add_argument("--model", default="", help="model of --paraphrase")
        parser.add_argument("--moderation-model", default="omni-moderation-latest")
        add_project_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        name = check_set_name(options["name"])
        log = Log.at(
            options["log"], format=options["format"], columns=columns_by_field(options["column"])
        )
        out = options["out"] or Path(f"{name}-build")
        with tqdm(total=100, unit="%", disable=None, leave=False) as bar:

            def say(what: str, share: float) -> None:
                bar.set_description(what)
                bar.n = round(100 * share, 1)
                bar.refresh()

            built = build_prompt_set(
                project=project_of(options),
                name=name,
                log=log,
                options=BuildOptions(
                    recipe=_recipe(options),
                    folder=out,
                    moderation=_server("moderation", options, options["moderation_model"]),
                    paraphrase=_server("paraphrase", options, options["model"]),
                    licence=options["licence"],
                ),
                say=say,
            )
        for line in _told(built, out):
            self.stdout.write(line)


def _recipe(options: dict[str, Any]) -> Recipe:
    languages = () if options["any_language"] else tuple(options["language"] or ("en",))
    choices = Choices(
        size=options["size"],
        seed=options["seed"],
        languages=languages,
        fewest_words=options["fewest_words"],
        most_words=options["most_words"],
        near=options["near"],
        pool=max(options["pool"], options["size"]),
        strip=not options["keep_keywords"],
    )
    return Recipe(choices, **{each: options[each] for each in _LISTS if options[each]})


def _server(what: str, options: dict[str, Any], model: str) -> Server | None:
    if not options[what]:
        return None
    return Server(options[what], model, os.environ.get(f"{what.upper()}_API_KEY", ""))


def _told(built: BuiltSet, out: Path) -> list[str]:
    funnel = built.funnel
    told = [f"{funnel['lines']:>12,}  lines"]
    told += [
        f"{step['kept']:>12,}  {step['stage'].lower()} (−{step['dropped']:,})"
        for step in funnel["steps"]
    ]
    short = [
        f"{name} ({each['taken']} of {each['wanted']})"
        for name, each in funnel["balance"].items()
        if each["taken"] < each["wanted"]
    ]
    if short:
        told.append(f"short of prompts: {', '.join(short)}; others took their places.")
    if funnel["prompts"] < funnel["size"]:
        told.append(
            f"the set has {counted(funnel['prompts'], 'prompt')}, {funnel['size']:,} were asked "
            "for."
        )
    prompt_set = built.prompt_set
    told.append(
        f"built {prompt_set}: {counted(funnel['prompts'], 'prompt')}, {funnel['stylized']:,} "
        "stylized, "
        f"sha256 {prompt_set.sha256}; what went and why: {out}/dropped.jsonl"
    )
    return told
