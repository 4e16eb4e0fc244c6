"""Reviewers of known taste judge a pool over HTTP: exactly k each, and what they keep is good."""

import os
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.annotation.models import Assignment, Vote
from evalplatform.core.errors import BadInputError
from evalplatform.curation.people import people_of
from evalplatform.curation.selectors import kept_so_far
from evalplatform.curation.services import StagePlan, close_stage, open_stage
from evalplatform.simulation.known_quality import read_truth
from tests import live
from tests.curation.pools import make_pool, write_gold

pytestmark = pytest.mark.django_db(transaction=True)
EMU = ("Composition", "Lighting", "Colour and contrast", "Subject and background", "Story")
# `make check-reviewers` has 900 images, 20 generalists and 5 specialists.
COUNT = int(os.environ.get("POOL_IMAGES", "16"))
GENERALISTS = int(os.environ.get("GENERALISTS", "5"))
SPECIALISTS = ("anna", "ben", "cleo", "dora", "emil")[: int(os.environ.get("SPECIALISTS", "3"))]


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site() as address:
        yield address


@pytest.fixture
def pool(db, tmp_path):
    return make_pool(tmp_path / "pool", COUNT)


@pytest.fixture
def truth(pool, tmp_path):
    """Every fourth image is excellent, every fourth bad, the rest mediocre; bad ones are dark."""
    lines = []
    for each in pool.images.select_related("image"):
        quality = (0.05, 0.6, 0.95, 0.6)[each.image.position % 4]
        heads = "Lighting;Story" if quality < 0.5 else ""
        lines.append(f"{each.image.source_sha256}\t{quality}" + (f"\t{heads}" if heads else ""))
    path = tmp_path / "truth.tsv"
    path.write_text("# sha256, quality, heads\n" + "\n".join(lines) + "\n")
    return path


def run(pool, site, truth, kind, count, **options):
    plan = StagePlan(kind, **options)
    stage = open_stage(pool=pool, plan=plan, now=timezone.now()).stage
    call_command(
        "simulate_annotators", stage.campaign.slug, site=site, annotators=count, seed=3,
        role=kind, truth=truth, noise=0.05,
    )  # fmt: skip
    return stage


def test_generalists_then_specialists_find_the_excellent_images(
    pool, site, truth, tmp_path, capsys
):
    gold = write_gold(tmp_path / "gold", excellent=3, bad=3)
    generalists = run(
        pool, site, truth, "generalists", GENERALISTS, gold=gold, gold_rate=0.4, grid=12
    )
    assert not Assignment.objects.main().pending().exists()
    figures = people_of(generalists)
    assert sum(each.kept.total for each in figures) == COUNT
    assert sum(each.excellent.total for each in figures) > 0
    assert all(each.excellent.value == 1 for each in figures if each.excellent.total)
    assert all(each.bad.value == 0 for each in figures if each.bad.total)
    close_stage(stage=generalists, now=timezone.now())
    assert kept_so_far(pool).count() == COUNT * 3 // 4

    gold = write_gold(tmp_path / "experts-gold", excellent=2, bad=2)
    specialists = run(
        pool, site, truth, "specialists", len(SPECIALISTS), heads=EMU, people=SPECIALISTS,
        gold=gold, gold_rate=0.3,
    )  # fmt: skip
    votes = Vote.objects.filter(assignment__campaign=specialists.campaign)
    main = votes.filter(assignment__purpose="main")
    assert set(Counter(main.values_list("assignment__item", flat=True)).values()) == {3}
    assert all(vote.is_simulated for vote in votes)
    for vote in votes:  # only what is not kept is marked, under one head at least
        assert bool(vote.marks) == (vote.answer != "keep")
        assert set(vote.marks) <= set(EMU)
    close_stage(stage=specialists, now=timezone.now())
    kept = [each.image.position % 4 for each in kept_so_far(pool)]
    assert kept == [2] * (COUNT // 4)
    with capsys.disabled():
        for stage in (generalists, specialists):
            print(f"\n{stage}: {told(stage)}")


def told(stage):
    """Return votes and what all of them keep of planted gold, in words."""
    people = people_of(stage)
    shares = {
        name: (sum(getattr(each, name).hits for each in people),
               sum(getattr(each, name).total for each in people))
        for name in ("kept", "excellent", "bad")
    }  # fmt: skip
    return f"{len(people)} people, " + ", ".join(
        f"{name} {hits:,} of {total:,}" for name, (hits, total) in shares.items()
    )


def test_heads_that_fail_are_the_ones_that_are_marked(pool, site, truth):
    stage = run(pool, site, truth, "specialists", 2, k=2, heads=EMU, people=("anna", "ben"))
    bad = Vote.objects.filter(assignment__campaign=stage.campaign, answer="reject")
    marked = {
        vote.assignment.item.image_set.images.get().collected.position % 4: vote.marks
        for vote in bad
    }
    assert marked[0] == ["Lighting", "Story"]
    assert len(marked[1]) == 1


def test_image_of_unknown_quality_is_named(pool, site, truth):
    truth.write_text("".join(truth.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(CommandError, match="the truth of 1 image of needles-generalists is not"):
        run(pool, site, truth, "generalists", 2)
    assert not Vote.objects.exists()


@pytest.mark.parametrize(
    "line", ["abc\t0.5", "f" * 64 + "\t1.5", "f" * 64 + "\tgood", "f" * 64 + "\t0.5\ta\tb"]
)
def test_truth_that_is_none_is_refused_by_its_line(tmp_path, line):
    path = tmp_path / "truth.tsv"
    path.write_text(f"# truth\n{line}\n")
    with pytest.raises(BadInputError, match="line 2"):
        read_truth(path)
