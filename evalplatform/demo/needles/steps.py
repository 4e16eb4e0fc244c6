"""The steps from a haystack to a model that is judged blind; what is done is found done."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.selectors import votes_missing
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.management.commands.train import run_trainer
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.files import write_whole
from evalplatform.core.words import counted
from evalplatform.curation.captions import caption_figures
from evalplatform.curation.exporting import export_pool
from evalplatform.curation.models import Pool, Stage
from evalplatform.curation.services import (
    StagePlan,
    close_stage,
    import_pool,
    open_stage,
    step_captions,
)
from evalplatform.demo.needles.table import table
from evalplatform.demo.needles.truth import NeedleTruth, read_haystack, write_truth
from evalplatform.demo.needles.writers import write_captions
from evalplatform.demo.steps import RULES, SAMPLING, Demo, run_module

SEED = 7
PLANTED = {"blurred": 60, "noisy": 30, "darkened": 20, "text": 30, "copy": 20, "crop": 20}
GENERALISTS, SPECIALISTS, WRITERS, JUDGES = 10, 5, 4, 12
HEADS = ("Composition", "Lighting", "Colour and contrast", "Subject and background", "Story")
POOL = "needles"
PARENT, CURATED, RANDOM = "pretrained", "needles-curated", "needles-random"
PROMPTS = 40
MOST_ROUNDS = 6
# Simulated people answer in milliseconds and say so.
_RULES: dict[str, dict[str, object]] = {"quality": {"min_response_ms": 0}}


@dataclass
class NeedlesDemo(Demo):
    """Where the haystack, its pool and what comes of it lie."""

    @property
    def folder(self) -> Path:
        return Path(settings.VAR_DIR) / "demo-needles"

    @property
    def haystack(self) -> Path:
        return self.folder / "haystack"

    @property
    def scores(self) -> Path:
        return self.folder / "scores"

    @property
    def pool(self) -> Path:
        return self.folder / "pool"

    @property
    def curated(self) -> Path:
        return self.folder / "curated"

    @property
    def drawn(self) -> Path:
        return self.folder / "random"

    @property
    def truth_file(self) -> Path:
        return self.folder / "truth.tsv"

    def truth(self) -> dict[str, NeedleTruth]:
        """Return what is true of each image, by the SHA-256 of its file."""
        return read_haystack(self.haystack, self.dataset, self.taught_by["picked"])


def plant_needles(demo: NeedlesDemo) -> str:
    """Plant damage, words and near-duplicates among the drawings."""
    if not (demo.haystack / "metadata.jsonl").is_file():
        shutil.rmtree(demo.haystack, ignore_errors=True)
        counts = [f"--{kind}={count}" for kind, count in PLANTED.items()]
        _curation("plant", "--data", demo.dataset, "--out", demo.haystack, "--seed", SEED, *counts)
    truth = demo.truth()
    write_truth(demo.truth_file, truth)
    kinds = Counter(each.kind for each in truth.values())
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def filter_by_rules(demo: NeedlesDemo) -> str:
    """Score every image once, and leave what the default rules leave."""
    scorers = "pixels,duplicates,ocr,offensive,concepts"
    if not (demo.pool / "pool.json").is_file():
        _curation("score", "--data", demo.haystack, "--scorers", scorers, "--out", demo.scores,
                  "--processes", 2)  # fmt: skip
        shutil.rmtree(demo.pool, ignore_errors=True)
        _curation("select", "--scores", demo.scores, "--data", demo.haystack, "--out", demo.pool)
    _curation("recall", "--data", demo.haystack, "--scores", demo.scores)
    return f"{demo.pool}; look at {demo.pool / 'audit' / 'index.html'}"


def bring_pool(demo: NeedlesDemo) -> str:
    """Import the pool, and register the parent."""
    register_checkpoint(
        project=default_project(), name=PARENT, role=PARENT,
        source=Path(settings.BASE_DIR) / "models_backend" / "recorded" / "pretrained",
    )  # fmt: skip
    pool = Pool.objects.filter(name=POOL).first() or import_pool(
        project=default_project(), path=demo.pool, name=POOL
    )
    return f"{pool}: {counted(pool.images.count(), 'image')}"


def generalists_spare(demo: NeedlesDemo) -> str:
    """One keep or unsure of a generalist suffices."""
    return _staged(demo, StagePlan("generalists", rules=_RULES), GENERALISTS)


def specialists_choose(demo: NeedlesDemo) -> str:
    """Three specialists have to keep an image, none of them marking a head."""
    people = tuple(f"specialist {number + 1}" for number in range(SPECIALISTS))
    plan = StagePlan("specialists", heads=HEADS, people=people, rules=_RULES)
    return _staged(demo, plan, SPECIALISTS)


def _staged(demo: NeedlesDemo, plan: StagePlan, people: int) -> str:
    pool = Pool.objects.get(name=POOL)
    stage = pool.stages.filter(kind=plan.kind).first()
    if stage is None:
        stage = open_stage(pool=pool, plan=plan, now=timezone.now()).stage
    if stage.closed_at is None:
        if votes_missing(stage.campaign):
            call_command(
                "simulate_annotators", stage.campaign.slug, annotators=people, seed=SEED,
                site=demo.site, truth=demo.truth_file, role=plan.kind,
            )  # fmt: skip
        close_stage(stage=stage, now=timezone.now())
    return kept_line(stage, demo.truth())


def kept_line(stage: Stage, truth: dict[str, NeedleTruth]) -> str:
    """Say what a closed stage kept, by what is true of it."""
    rows = stage.promotions.values_list("kept", "pool_image__image__source_sha256")
    kinds = {kept: Counter(truth[sha256].kind for each, sha256 in rows if each is kept)
             for kept in (True, False)}  # fmt: skip
    told = ", ".join(
        f"{kinds[True][kind]} of {kinds[True][kind] + kinds[False][kind]} {kind}"
        for kind in sorted(kinds[True] | kinds[False])
    )
    return f"kept {kinds[True].total()} of {len(rows)}: {told}"


def captions_written(demo: NeedlesDemo) -> str:
    """Have every kept image described by one person and approved by another."""
    pool, truth = Pool.objects.get(name=POOL), demo.truth()
    people = [f"writer {number + 1}" for number in range(WRITERS)]
    for _ in range(3 * MOST_ROUNDS):
        going = pool.caption_rounds.filter(closed_at__isnull=True).first()
        if going is not None:
            campaign = going.approval or going.writing
            if votes_missing(campaign):
                write_captions(campaign, truth=truth, people=WRITERS, seed=SEED, site=demo.site)
        step = step_captions(
            pool=pool, people=people if going is None else (), now=timezone.now(), rules=_RULES
        )
        if step.round is None:
            break
    found = caption_figures(pool)
    return f"{found.approved} of {found.wanted} approved, {found.rejected} rejected on the way"


def export_and_draw(demo: NeedlesDemo) -> str:
    """Export what people picked; draw as many images of the pool at random beside it."""
    pool = Pool.objects.get(name=POOL)
    if not (demo.curated / "dataset.json").is_file():
        shutil.rmtree(demo.curated, ignore_errors=True)
        export_pool(pool=pool, out=demo.curated)
    count = json.loads((demo.curated / "dataset.json").read_text())["images"]
    if not (demo.drawn / "dataset.json").is_file():
        _curation("draw", "--pool", demo.pool, "--count", count, "--seed", SEED,
                  "--out", demo.drawn)  # fmt: skip
    truth = demo.truth()
    lines = (demo.drawn / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = Counter(truth[json.loads(line)["sha256"]].kind for line in lines)
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{count} picked by people; {count} at random: {told}"


def tune_both(demo: NeedlesDemo) -> str:
    """Tune the parent on both sets alike, and register the children."""
    parent = Checkpoint.objects.get(name=PARENT)
    config = Path(settings.BASE_DIR) / "models_backend" / "configs" / "needles_quality_tuned.toml"
    for name, images in ((CURATED, demo.curated), (RANDOM, demo.drawn)):
        directory = run_trainer(config, [
            "--data", str(demo.dataset), "--tuning", str(images),
            "--parent", str(parent.directory), "--out", str(demo.folder / "runs" / name),
        ])  # fmt: skip
        register_checkpoint(
            project=default_project(), source=directory, name=name, role="quality_tuned"
        )
    return f"{CURATED}, {RANDOM}"


CAMPAIGNS = {
    "needles-proof": (CURATED, PARENT),
    "needles-control": (CURATED, RANDOM),
}
"""By name, whom against whom."""


def judge_blind(demo: NeedlesDemo) -> str:
    """Run both campaigns: samples, then simulated annotators."""
    call_command(
        "import_prompts", "demo", str(Path(settings.FILES_DIR) / "prompts" / "demo.tsv"),
        licence="Apache-2.0",
    )  # fmt: skip
    for name, (first, second) in CAMPAIGNS.items():
        call_command(
            "run_eval", first, second, "--prompts=demo", name=name, seed=SEED, limit=PROMPTS,
            rules=RULES, **SAMPLING,
        )  # fmt: skip
        if votes_missing(Campaign.objects.get(slug=name)):
            call_command(
                "simulate_annotators", name, annotators=JUDGES, seed=SEED, site=demo.site,
                **demo.taught_by,
            )  # fmt: skip
    return ", ".join(CAMPAIGNS)


def write_results(demo: NeedlesDemo) -> str:
    """Write the table of both campaigns."""
    path = demo.folder / "results.txt"
    write_whole(path, "\n".join(table(CAMPAIGNS)) + "\n")
    return str(path)


def _curation(verb: str, *arguments: object) -> None:
    run_module("models_backend.curation", verb, *(str(each) for each in arguments))
