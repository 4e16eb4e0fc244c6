"""Curate a pool of images with people, from import to a data set to tune on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone
from tqdm import tqdm

from evalplatform.accounts.commands import add_project_option, project_of
from evalplatform.accounts.models import User
from evalplatform.accounts.services import user_named
from evalplatform.annotation.doors.invitations import invitation_link
from evalplatform.annotation.models import Invitation
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.core.commands import PlatformCommand
from evalplatform.core.errors import BadInputError
from evalplatform.core.site import site_link
from evalplatform.core.words import counted
from evalplatform.curation.captions import caption_figures, captions_that_fell, without_caption
from evalplatform.curation.exporting import export_pool
from evalplatform.curation.guideline import WORDS, heads_named
from evalplatform.curation.models import Pool, Stage
from evalplatform.curation.people import approvers_of, people_of, share_in_words
from evalplatform.curation.selectors import (
    differing_decisions,
    kept_so_far,
    pool_named,
    pools,
    stage_named,
)
from evalplatform.curation.services import (
    PoolSamples,
    StagePlan,
    close_stage,
    import_pool,
    import_samples,
    open_stage,
    sampler_of_a_pool,
    step_captions,
)
from evalplatform.curation.services.samples import GUIDANCE, STEPS
from evalplatform.promptsets.selectors import prompt_set_named


class Command(PlatformCommand):
    help = (
        "Curate a pool of images: import it, let generalists and specialists pick, and export what "
        "they kept as a data set to tune on (docs/curating.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        _add_import(verbs.add_parser("import", help="bring a pool folder, or samples"))
        _add_open(verbs.add_parser("open", help="open a stage to people"))
        close = verbs.add_parser("close", help="close a stage: it decides what is kept")
        close.add_argument("pool")
        close.add_argument("--stage", help="which; the open one if none is named")
        close.add_argument(
            "--unfinished", action="store_true", help="also while judgements are missing"
        )
        close.add_argument("--by", metavar="USER", help="record this user as who closed it")
        _add_captions(verbs.add_parser("captions", help="have captions written, then approved"))
        export = verbs.add_parser("export", help="write what is kept as a data set folder")
        export.add_argument("pool")
        export.add_argument("--out", type=Path, required=True, help="a new or empty folder")
        export.add_argument("--allow-unknown-licence", action="store_true")
        export.add_argument(
            "--allow-imported-captions", action="store_true",
            help="of images without an approved one, where people wrote captions",
        )  # fmt: skip
        check = verbs.add_parser("check", help="work decisions out again from the votes")
        check.add_argument("pool")
        status = verbs.add_parser("status", help="list pools, and how far each is")
        status.add_argument("pool", nargs="?")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(options)

    def _import(self, options: dict[str, Any]) -> None:
        project, by = project_of(options), _user(options["by"])
        processes = options["processes"]
        if processes is not None and not 1 <= processes <= 256:
            raise BadInputError(f"--processes {processes} is outside 1 to 256.")
        sampled = (options["checkpoint"], options["prompts"], options["seeds"])
        if (options["pool"] is None) == (not any(sampled)):
            raise BadInputError("give a pool folder, or --checkpoint, --prompts and --seeds.")
        with tqdm(desc=options["name"], unit=" images", disable=None, leave=False) as bar:
            told = _bar(bar)
            if options["pool"] is not None:
                pool = import_pool(
                    project=project, path=options["pool"], name=options["name"], created_by=by,
                    processes=processes, progress=told,
                )  # fmt: skip
            else:
                if not all(sampled):
                    raise BadInputError("--checkpoint, --prompts and --seeds go together.")
                pool = import_samples(
                    project=project, name=options["name"], licence=options["licence"],
                    created_by=by, processes=processes, progress=told,
                    wanted=PoolSamples(
                        checkpoint=registered_checkpoint(options["checkpoint"], project),
                        prompt_set=prompt_set_named(options["prompts"], project),
                        seeds=options["seeds"],
                        settings=sampler_of_a_pool(
                            steps=options["steps"], guidance=options["guidance"]
                        ),
                    ),
                )  # fmt: skip
        self.stdout.write(
            f"{pool}: {counted(pool.images.count(), 'image')}, {pool.source or 'no source'}"
        )

    def _open(self, options: dict[str, Any]) -> None:
        pool = pool_named(options["pool"])
        plan = StagePlan(
            kind=options["stage"], keep=options["keep"], k=options["k"],
            heads=heads_named(options["heads"]), target=options["target"],
            people=_people(options["people"]),
            gold=options["gold"], gold_rate=options["gold_rate"], question=options["question"],
            grid=options["grid"],
        )  # fmt: skip
        with tqdm(unit=" images", disable=None, leave=False) as bar:
            opened = open_stage(
                pool=pool, plan=plan, now=timezone.now(), created_by=_user(options["by"]),
                on_images=lambda done, count: _bar(bar)("storing", done, count),
            )  # fmt: skip
        campaign = opened.stage.campaign
        self.stdout.write(
            f"{opened.stage}: campaign {campaign.slug} asks about "
            f"{counted(campaign.item_count, 'image')}"
        )
        self._invitations(campaign, opened.invitations)

    def _close(self, options: dict[str, Any]) -> None:
        pool = pool_named(options["pool"])
        stage = stage_named(pool, options["stage"]) if options["stage"] else _open_one(pool)
        stage = close_stage(
            stage=stage, now=timezone.now(), closed_by=_user(options["by"]),
            unfinished=options["unfinished"],
        )  # fmt: skip
        kept = stage.promotions.filter(kept=True).count()
        wanted = f", {stage.target:,} were wanted" if stage.target else ""
        self.stdout.write(f"{stage}: kept {kept:,} of {stage.promotions.count():,} images{wanted}")

    def _captions(self, options: dict[str, Any]) -> None:
        pool = pool_named(options["pool"])
        with tqdm(unit=" images", disable=None, leave=False) as bar:
            step = step_captions(
                pool=pool, people=_people(options["people"]), now=timezone.now(),
                created_by=_user(options["by"]), unfinished=options["unfinished"],
                gold=options["gold"], gold_rate=options["gold_rate"],
                on_images=lambda done, count: _bar(bar)("storing", done, count),
            )  # fmt: skip
        if step.round is None:
            self.stdout.write(f"{pool}: every image that is kept has an approved caption")
        elif step.campaign is None:
            self.stdout.write(
                f"{step.round}: {step.approved:,} approved, {step.rejected:,} rejected"
            )
            left = without_caption(pool).count()
            if left:
                self.stdout.write(f"give the command again to have {left:,} written anew")
        else:
            asks = "approval of" if step.round.approval else "captions for"
            self.stdout.write(
                f"{step.campaign.slug} asks for {asks} {counted(step.asked, 'image')}"
            )
            self._invitations(step.campaign, step.invitations)

    def _invitations(
        self, campaign: Campaign, invitations: Sequence[tuple[Invitation, str]]
    ) -> None:
        link = site_link(reverse("annotation:work", args=[campaign.invitation]))
        if not invitations:
            self.stdout.write(f"annotators come in by {link}")
        for invitation, secret in invitations:
            self.stdout.write(f"{invitation.label}: {invitation_link(link, secret)}")

    def _export(self, options: dict[str, Any]) -> None:
        pool = pool_named(options["pool"])
        with tqdm(unit=" images", disable=None, leave=False) as bar:
            exported = export_pool(
                pool=pool, out=options["out"],
                allow_unknown_licence=options["allow_unknown_licence"],
                allow_imported_captions=options["allow_imported_captions"],
                progress=lambda done, count: _bar(bar)("writing", done, count),
            )  # fmt: skip
        self.stdout.write(
            f"{exported.path}: {counted(exported.images, 'image')}, manifest "
            f"{exported.manifest_sha256}"
        )

    def _check(self, options: dict[str, Any]) -> None:
        pool = pool_named(options["pool"])
        differing = [
            f"{stage}: {each}"
            for stage in pool.stages.filter(closed_at__isnull=False).select_related("campaign")
            for each in differing_decisions(stage)
        ]
        if differing:
            raise BadInputError(
                f"{len(differing):,} decisions are not what the votes say now: {differing[0]}. "
                "Somebody was excluded after the stage closed; its decisions stay as they were."
            )
        fallen = list(captions_that_fell(pool))
        if fallen:
            raise BadInputError(
                f"{len(fallen):,} approved captions rest on a vote that no longer counts: "
                f"{fallen[0]}. Somebody was excluded afterwards; the captions stay as they are."
            )
        self.stdout.write(f"{pool}: every decision is what its votes say")

    def _status(self, options: dict[str, Any]) -> None:
        found = [pool_named(options["pool"])] if options["pool"] else list(pools())
        for pool in found:
            self.stdout.write(
                f"{pool}: {counted(pool.images.count(), 'image')}, "
                f"{kept_so_far(pool).count():,} left"
            )
            for stage in pool.stages.select_related("campaign"):
                state = f"decided {stage.closed_at:%Y-%m-%d}" if stage.closed_at else "open"
                self.stdout.write(f"  {stage.number} {stage.kind}: {state}, {stage.campaign.slug}")
                if options["pool"]:
                    self._people(stage)
            if pool.caption_rounds.exists():
                told = caption_figures(pool)
                self.stdout.write(
                    f"  captions: {told.approved:,} of {told.wanted:,} approved, "
                    f"{told.rejected:,} rejected"
                )
                if options["pool"]:
                    self._approvers(pool)

    def _people(self, stage: Stage) -> None:
        for each in people_of(stage):
            self.stdout.write(
                f"    {each.pseudonym}: keeps {share_in_words(each.kept)}; of known excellent "
                f"{share_in_words(each.excellent)}; of known bad {share_in_words(each.bad)}"
            )

    def _approvers(self, pool: Pool) -> None:
        for each in approvers_of(pool):
            self.stdout.write(
                f"    {each.pseudonym}: approves {share_in_words(each.approved)}; of known right "
                f"{share_in_words(each.right)}; of known wrong {share_in_words(each.wrong)}"
            )


def _add_import(parser: CommandParser) -> None:
    parser.add_argument("pool", type=Path, nargs="?", help="folder of the format t2i-pool/1")
    parser.add_argument("--name", required=True, help="name of the pool")
    parser.add_argument("--checkpoint", help="take this one's own samples")
    parser.add_argument("--prompts", metavar="SET", help="for the prompts of NAME[@VERSION]")
    parser.add_argument("--seeds", type=int, help="samples a prompt")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the sampler (%(default)s)")
    parser.add_argument("--guidance", type=float, default=GUIDANCE, help="its scale (%(default)s)")
    parser.add_argument("--licence", default="", help="of the samples, as an SPDX id")
    parser.add_argument("--processes", type=int, help="that decode at once (default: cores)")
    parser.add_argument("--by", metavar="USER", help="record this user as who imported it")
    add_project_option(parser)


def _add_open(parser: CommandParser) -> None:
    parser.add_argument("pool")
    parser.add_argument("--stage", required=True, help=f"one of {', '.join(WORDS)}")
    parser.add_argument("--k", type=int, help="judgements an image")
    parser.add_argument("--keep", help="any: one keep suffices; all: all keep, no failed head")
    parser.add_argument("--heads", default="", help="emu, or heads parted by commas")
    parser.add_argument("--target", type=int, help="how many images are wanted")
    parser.add_argument(
        "--people", default="", help="who is invited, parted by commas; nobody else takes part"
    )
    parser.add_argument(
        "--gold", type=Path, help="folder with excellent/, bad/, accepted/ and rejected/"
    )
    parser.add_argument(
        "--gold-rate", type=float, default=0.1, help="share of hidden gold (%(default)s)"
    )
    parser.add_argument(
        "--grid", type=int, default=0, help="images on one screen, up to 12; 0: one after another"
    )
    parser.add_argument("--question", default="", help="in place of the usual one")
    parser.add_argument("--by", metavar="USER", help="record this user as who opened it")


def _add_captions(parser: CommandParser) -> None:
    parser.add_argument("pool")
    parser.add_argument(
        "--people", default="", help="who is invited, parted by commas; approval: who wrote"
    )
    parser.add_argument(
        "--gold", type=Path, help="of an approval: folder with right/ and wrong/, with captions"
    )
    parser.add_argument(
        "--gold-rate", type=float, default=0.1, help="share of hidden gold (%(default)s)"
    )
    parser.add_argument("--unfinished", action="store_true", help="also while answers are missing")
    parser.add_argument("--by", metavar="USER", help="record this user as who opened it")


def _people(given: str) -> list[str]:
    return [each.strip() for each in given.split(",") if each.strip()]


def _open_one(pool: Pool) -> Stage:
    stage = pool.stages.select_related("campaign").filter(closed_at=None).first()
    if stage is None:
        raise BadInputError(f"no stage of {pool} is open.")
    return stage


def _user(name: str | None) -> User | None:
    return user_named(name) if name else None


def _bar(bar: Any) -> Callable[[str, int, int], None]:
    def told(doing: str, done: int, count: int) -> None:
        bar.set_description(doing)
        bar.total = count
        bar.update(done - bar.n)

    return told
