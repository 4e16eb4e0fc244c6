"""Import votes that people cast elsewhere as a closed campaign."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.accounts.services import user_named
from evalplatform.core.commands import PlatformCommand, columns_by_field
from evalplatform.imports.protocol import Wish
from evalplatform.imports.services import Handling, ImportedVotes, import_votes
from evalplatform.imports.telling import in_words, left_out_lines
from evalplatform.promptsets.selectors import prompt_set_named


class Command(PlatformCommand):
    help = (
        "Import votes that people cast elsewhere: pairs, rankings or ratings of models, with "
        "prompts and annotators, as CSV, TSV, JSONL, JSON or parquet (plain columns, arena, "
        "Pick-a-Pic, HPDv2). They become a closed campaign, marked as imported, with every report "
        "and export. All is imported or nothing. See docs/import-votes.md."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help=".csv, .tsv, .jsonl, .json or .parquet file")
        parser.add_argument("--campaign", required=True, help="name of the campaign to make")
        parser.add_argument(
            "--criterion", default="", metavar="SLUG",
            help="what was asked, where the file does not say (default: overall_preference)",
        )  # fmt: skip
        parser.add_argument("--question", default="", help="the question as people were asked it")
        parser.add_argument(
            "--shows-prompt", choices=["yes", "no"], help="whether people saw the prompt"
        )
        parser.add_argument(
            "--prompts", metavar="SET",
            help="prompt set to match prompts with, NAME[@VERSION]; default: a new one of them",
        )  # fmt: skip
        parser.add_argument(
            "--column", action="append", default=[], metavar="FIELD=NAME",
            help="a column that is called otherwise: --column model=Model; nothing after = leaves "
            "a field out",
        )  # fmt: skip
        parser.add_argument(
            "--as-pairs", action="store_true",
            help="read ratings and rankings as pairs of models, by one annotator on one prompt",
        )  # fmt: skip
        parser.add_argument(
            "--keep-first", action="store_true",
            help="of several votes by one annotator on one item keep the first",
        )  # fmt: skip
        parser.add_argument(
            "--skip-bad", action="store_true",
            help="leave out rows that cannot be imported instead of refusing all",
        )  # fmt: skip
        parser.add_argument(
            "--anonymous", action="store_true",
            help="the file does not say who voted: take each row as by a person of its own",
        )  # fmt: skip
        parser.add_argument("--licence", default="", help="licence of the votes")
        parser.add_argument("--source", default="", help="where they come from, e.g. an address")
        add_project_option(parser)
        parser.add_argument("--by", metavar="USER", help="record this user as who imported them")

    def handle(self, *args: Any, **options: Any) -> None:
        imported = self._import(options)
        for line in left_out_lines(imported):
            self.stderr.write(line)
        slug = imported.campaign.slug
        self.stdout.write(f"{in_words(imported)}. Report: manage.py report {slug}")

    def _import(self, options: dict[str, Any]) -> ImportedVotes:
        shows = options["shows_prompt"]
        project = project_of(options)
        prompts = options["prompts"]
        counted = ""
        with tqdm(desc=options["campaign"], disable=None, leave=False) as bar:

            def progress(what: str, done: int, total: int | None) -> None:
                nonlocal counted
                if what != counted:
                    counted = what
                    bar.reset()
                    bar.unit = f" {what}"
                bar.total = total
                bar.update(done - bar.n)

            return import_votes(
                project=project,
                path=options["path"],
                campaign=options["campaign"],
                prompt_set=prompt_set_named(prompts, project) if prompts else None,
                wish=Wish(
                    options["criterion"], options["question"].strip(),
                    None if shows is None else shows == "yes",
                ),
                handling=Handling(
                    columns=columns_by_field(options["column"]),
                    as_pairs=options["as_pairs"],
                    keep_first=options["keep_first"],
                    skip_bad=options["skip_bad"],
                    anonymous=options["anonymous"],
                ),
                licence=options["licence"],
                source=options["source"],
                created_by=user_named(options["by"]) if options["by"] else None,
                progress=progress,
            )  # fmt: skip
