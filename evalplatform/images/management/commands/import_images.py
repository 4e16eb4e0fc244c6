"""Import images that exist already as a collection."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand, columns_by_field
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.images.faults import FaultyRowsError, listed
from evalplatform.images.services import ImportedCollection, import_collection
from evalplatform.promptsets.models import Prompt
from evalplatform.promptsets.selectors import prompt_set_named

_NAMED = 10


class Command(PlatformCommand):
    help = (
        "Import images that exist already: other labs' samples, which a campaign then takes as it "
        "takes a checkpoint, or without --prompts a pool of photos. SOURCE is a folder of images "
        "named by prompt (12.png, 12/0.png, 12_SEED.png) or with a manifest, a .jsonl, .csv or "
        ".tsv file that names them, or parquet with their bytes; unpack a "
        "zip or tar first, or send it by the page. Every image is turned upright, "
        "converted to RGB, or RGBA where it is transparent, and stored as generated samples are, "
        "without metadata. All is imported or nothing; interrupted, the same command "
        "goes on. See docs/images.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="folder, .jsonl, .csv, .tsv or .parquet file")
        parser.add_argument("--name", required=True, help="name of the collection")
        parser.add_argument(
            "--model", required=True, help='what made the images, as reports name it: "DALL-E 3"'
        )
        parser.add_argument(
            "--prompts", metavar="SET", help="prompt set whose prompts they answer: NAME[@VERSION]"
        )
        parser.add_argument("--licence", default="", help="licence of the images")
        parser.add_argument("--source", default="", help="where they come from, e.g. an address")
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="FIELD=NAME",
            help="column that holds image, prompt, key, seed or caption, where it is called "
            "otherwise: --column prompt=text; nothing after = leaves a field out",
        )
        parser.add_argument(
            "--skip-bad",
            action="store_true",
            help="leave out rows that cannot be imported instead of refusing all",
        )
        parser.add_argument("--processes", type=int, help="that decode at once (default: cores)")
        add_project_option(parser)
        parser.add_argument("--by", metavar="USER", help="record this user as who imported it")

    def handle(self, *args: Any, **options: Any) -> None:
        processes = options["processes"]
        if processes is not None and not 1 <= processes <= 256:
            raise BadInputError(f"--processes {processes} is outside 1 to 256.")
        try:
            imported = self._import(options)
        except FaultyRowsError as error:
            self._say(listed(error.faults))
            raise
        self._say(listed(imported.left_out))
        self._say(_missing(imported.missing))
        self.stdout.write(_summary(imported))

    def _import(self, options: dict[str, Any]) -> ImportedCollection:
        project, prompts = project_of(options), options["prompts"]
        with tqdm(desc=options["name"], unit=" images", disable=None, leave=False) as bar:

            def progress(done: int, count: int) -> None:
                bar.total = count
                bar.update(done - bar.n)

            return import_collection(
                project=project,
                path=options["path"],
                name=options["name"],
                model=options["model"],
                prompt_set=prompt_set_named(prompts, project) if prompts else None,
                licence=options["licence"],
                source=options["source"],
                columns=columns_by_field(options["column"]),
                skip_bad=options["skip_bad"],
                created_by=user_named(options["by"]) if options["by"] else None,
                processes=options["processes"],
                progress=progress,
            )

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self.stderr.write(line)


def _missing(prompts: list[Prompt]) -> list[str]:
    if not prompts:
        return []
    lacking = counted(len(prompts), "prompt of the set has", "prompts of the set have")
    lines = [f"note: {lacking} no image:"]
    lines += [f"  {prompt.position}: {prompt.text[:80]!r}" for prompt in prompts[:_NAMED]]
    if len(prompts) > _NAMED:
        lines.append(f"  and {len(prompts) - _NAMED:,} more")
    return lines


def _summary(imported: ImportedCollection) -> str:
    collection = imported.collection
    of = f" for {collection.prompt_set}" if collection.prompt_set else ", a pool without prompts"
    left_out = f", {counted(len(imported.left_out), 'row')} left out" if imported.left_out else ""
    return (
        f"imported {collection.name}: {counted(collection.image_count, 'image')} of "
        f"{collection.model}{of}"
        f"{left_out}, sha256 {collection.sha256}"
    )
