"""Export a campaign: votes, a preference set in another project's format, or a paper pack."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from evalplatform.campaigns.selectors import campaign_named
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.words import counted
from evalplatform.exports.building import build
from evalplatform.exports.kinds import KINDS, Grain, Images
from evalplatform.exports.options import checked_options

_GIVEN = (
    "criteria", "categories", "tags", "with_excluded", "ties", "splits", "images", "image_format",
    "missing", "is_blind", "licence", "consent",
)  # fmt: skip


class Command(PlatformCommand):
    help = (
        "Export a campaign into a folder, with checksums, data card, Croissant and protocol. "
        + " ".join(f"{each.name}: {each.says}." for each in KINDS.values())
        + " Killed, the same command goes on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("campaign", help="name of the campaign")
        parser.add_argument("--as", dest="kind", required=True, choices=list(KINDS))
        parser.add_argument(
            "--out", type=Path, required=True, metavar="DIR", help="an empty folder, or a new one"
        )
        parser.add_argument(
            "--rows",
            dest="grain",
            choices=[each.value for each in Grain if each is not Grain.NONE],
            help="what a row is: a vote, two images that a vote compares, or two images with all "
            "votes counted (default: as is usual of the format)",
        )
        parser.add_argument(
            "--criterion", dest="criteria", action="append", metavar="SLUG", help="only this one"
        )
        parser.add_argument(
            "--category", dest="categories", action="append", help="only prompts of this category"
        )
        parser.add_argument(
            "--tag", dest="tags", action="append", help="only prompts with this tag (stylized)"
        )
        parser.add_argument(
            "--excluded",
            dest="with_excluded",
            choices=("keep", "leave-out"),
            help="votes of excluded annotators (default: kept and marked among votes as cast, left "
            "out of pairs and counts)",
        )
        parser.add_argument(
            "--ties",
            choices=("keep", "drop"),
            help="pairs that prefer neither image (default: kept and marked; dropped for readers "
            "that know no ties: hpdv3, trl)",
        )
        parser.add_argument(
            "--split",
            dest="splits",
            metavar="TRAIN/VALIDATION/TEST",
            help="per cent of prompts, such as 80/10/10, by their hash (default: train alone)",
        )
        _add_image_arguments(parser)
        parser.add_argument("--licence", help="identifier of the data's licence, such as cc-by-4.0")
        parser.add_argument("--consent", help="what annotators agreed to, for the data card")
        parser.add_argument("--for", dest="reader", choices=("excel",), help="CSV for Excel")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = campaign_named(options["campaign"])
        asked = {name: options[name] for name in _GIVEN} | {
            "kind": options["kind"],
            "grain": options["grain"],
            "for_excel": options["reader"] == "excel",
        }
        if options["with_excluded"]:
            asked["with_excluded"] = options["with_excluded"] == "keep"
        checked = checked_options(campaign, asked)
        built = build(campaign, checked, options["out"], progress=self._progress)
        for note in built.marks.notes:
            self.stdout.write(note)
        if built.lost:
            lost = counted(len(built.lost), "image is", "images are")
            self.stdout.write(f"{lost} lost; their places are empty.")
        rows = "" if checked.of.is_document else f"{counted(built.rows, 'row')}, "
        self.stdout.write(f"wrote {rows}{counted(len(built.files), 'file')} to {built.folder}")
        if checked.is_whole:
            self.stdout.write(f"compute its numbers again: manage.py replay {built.folder}")

    def _progress(self, rows: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(counted(rows, "row"), ending="\r")


def _add_image_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--images",
        choices=[each.value for each in Images],
        help="embed their bytes, put files beside the rows, or give hashes alone (default: as is "
        "usual of the format)",
    )
    parser.add_argument(
        "--image-format", choices=("png", "jpg"), help="png is lossless; jpg has quality 95"
    )
    parser.add_argument(
        "--missing-images",
        dest="missing",
        choices=("fail", "mark"),
        help="what to do about images that the store has lost (default: fail)",
    )
    parser.add_argument(
        "--blind",
        dest="is_blind",
        action="store_true",
        help="leave out what arms are called, their weights and the protocol",
    )
