"""Import a prompt set from a file or URL."""

from collections import Counter
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.core.commands import PlatformCommand, columns_by_field
from evalplatform.core.words import counted
from evalplatform.promptsets.entrance import check_set_name
from evalplatform.promptsets.models import PromptSet
from evalplatform.promptsets.reading.columns import FIELDS
from evalplatform.promptsets.reading.prompts import FORMATS
from evalplatform.promptsets.services import import_prompt_set, is_released_file


class Command(PlatformCommand):
    help = (
        "Import a prompt set. `import_prompts parti PartiPrompts.tsv` reads PartiPrompts; any "
        "other NAME reads a TSV, CSV, JSON, JSONL or parquet file whose columns are Prompt "
        "(required), Category, Challenge, Note and Tags, or a .txt file with one prompt a line. "
        "Importing the same file again changes nothing; a changed file becomes the next version. "
        "See docs/prompts.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="name of the prompt set, e.g. parti, demo or my-prompts")
        parser.add_argument("source", help="file or http(s) URL")
        parser.add_argument(
            "--format", choices=FORMATS, help="file format (default: by the file's ending)"
        )
        parser.add_argument(
            "--column",
            action="append",
            default=[],
            metavar="FIELD=NAME",
            help=f"column that holds {', '.join(FIELDS)}, where it is called otherwise: "
            "--column prompt=caption; nothing after = leaves a field out",
        )
        parser.add_argument(
            "--drop-repeats",
            action="store_true",
            help="import a prompt that comes several times once instead of refusing the file",
        )
        parser.add_argument("--licence", help="licence of the prompts, kept with the set")
        add_project_option(parser)
        parser.add_argument("--sha256", help="refuse the file unless it has this hash")

    def handle(self, *args: Any, **options: Any) -> None:
        check_set_name(options["name"])
        imported = import_prompt_set(
            project=project_of(options),
            name=options["name"],
            source=options["source"],
            format=options["format"],
            licence=options["licence"],
            sha256=options["sha256"],
            columns=columns_by_field(options["column"]),
            drop_repeats=options["drop_repeats"],
        )
        for note in imported.notes:
            self.stderr.write(f"note: {note}")
        self.stdout.write(_summary(imported.prompt_set, is_new=imported.is_new))
        if is_released_file(imported.prompt_set) is False:
            self.stderr.write(
                "note: this is not byte for byte the released file of that name; "
                "reports will show its hash."
            )


def _summary(prompt_set: PromptSet, *, is_new: bool) -> str:
    prompts = list(prompt_set.prompts.all())
    categories = Counter(prompt.category for prompt in prompts if prompt.category)
    challenges = Counter(prompt.challenge for prompt in prompts if prompt.challenge)
    return (
        f"{'imported' if is_new else 'already there, nothing changed:'} {prompt_set}: "
        f"{counted(len(prompts), 'prompt')}, {counted(len(categories), 'category', 'categories')}, "
        f"{counted(len(challenges), 'challenge')}, sha256 {prompt_set.sha256}"
    )
