"""An export's numbers are computed again from its files, to the last digit, without a database."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Exclusion
from evalplatform.annotation.services import (
    enrol,
    exclude,
    open_campaign,
    reinstate,
    skip_assignment,
    undo_vote,
)
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.exports.parts import sha256_of
from evalplatform.exports.replaying.comparing import first_difference, replay
from evalplatform.exports.replaying.example import PLAIN_PYTHON
from tests import factories
from tests.exports.campaigns import duel, exported
from tests.reports.test_galleries import voted

pytestmark = pytest.mark.django_db(transaction=True)


def refuse(execute, sql, params, many, context):
    raise AssertionError(f"the database was asked: {sql}")


def computed_again(folder):
    """Replay an export; nothing may ask the database."""
    with connection.execute_wrapper(refuse):
        return replay(folder)


def unsettled():
    """Two arms with gold, repeats, skips, late votes, an undone one and an exclusion taken back."""
    rules = {"quality": {"gold_rate": 0.3, "repeat_rate": 0.2, "repeat_gap": 1}}
    campaign = factories.make_draft(
        prompts=8, k=2, rules=rules, form="pair_both_neither", slug="unsettled"
    )
    factories.add_gold(campaign, "check", 3)
    open_campaign(campaign=campaign)
    now = timezone.now()
    enrolments = [
        enrol(campaign=campaign, annotator=Annotator.objects.create(pseudonym=name))
        for name in ("ada", "bea", "cyd")
    ]
    for turn in range(7):
        for at, enrolment in enumerate(enrolments):
            slot = factories.lease(enrolment)
            if slot is None:
                continue
            if turn == 2:
                skip_assignment(enrolment=enrolment, public_id=slot.public_id, reason="unsafe",
                                now=now)  # fmt: skip
            else:
                said = ("left", "both", "right", "neither")[(turn + at) % 4]
                factories.vote(
                    enrolment,
                    slot,
                    said,
                    viewport_width=500 + 200 * at,
                    zoomed=at == 1,
                    language=("", "de", "en")[at],
                )
    undo_vote(enrolment=enrolments[0], key=None, now=timezone.now())
    exclude(enrolment=enrolments[1], rule="gold", detail="1 of 3", now=now)
    exclude(enrolment=enrolments[2], rule="gold", detail="1 of 3", now=now)
    reinstate(exclusion=Exclusion.objects.get(enrolment=enrolments[2]), now=timezone.now())
    return Campaign.objects.get(pk=campaign.pk)


def several_images():
    """Three arms, two images a prompt, each dealt to one pair; half of the votes there."""
    campaign = factories.make_draft(
        arms=3, prompts=8, k=2, criteria=["visual_appeal"], design="random=1", images_per_prompt=2
    )  # fmt: skip
    open_campaign(campaign=campaign)
    people = [Annotator.objects.create(pseudonym="ada"), Annotator.objects.create(pseudonym="bea")]
    factories.judge_everything(campaign, people[:1], lambda _: "left")
    enrolment = enrol(campaign=campaign, annotator=people[1])
    for _ in range(9):
        factories.vote(enrolment, factories.lease(enrolment))
    return Campaign.objects.get(pk=campaign.pk)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (duel, "parquet"),
        (unsettled, "csv"),
        (several_images, "csv"),
        (lambda: voted("ranking", design="together", prompts=4, k=2), "jsonl"),
        (lambda: voted("rating", prompts=3, k=2), "parquet"),
    ],
    ids=["duel", "unsettled", "several images", "ranking", "rating"],
)
def test_every_number_is_computed_again(make, kind, tmp_path):
    exported(make(), tmp_path / "out", kind)
    found = computed_again(tmp_path / "out")
    assert found.difference == ""
    assert found.numbers > 300


def test_readme_computes_the_main_numbers_in_twenty_lines(tmp_path):
    readme = (Path(settings.BASE_DIR) / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme.split("compute again", 1)[1], re.DOTALL)
    assert block == PLAIN_PYTHON
    assert len(block.splitlines()) <= 20
    exported(duel(prompts=8), tmp_path, "csv")
    done = subprocess.run(
        [sys.executable, "-I", "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "visual_appeal" in done.stdout


@pytest.mark.parametrize(("form", "design"), [("pair", "all-pairs"), ("ranking", "together")])
def test_main_numbers_of_three_arms_are_computed_too(tmp_path, form, design):
    campaign = voted(form, design=design, prompts=3, k=2, people=2, strengths=(1.0, 0.5, 0.0))
    exported(campaign, tmp_path, "csv")
    plain = [sys.executable, "-I", "-c", PLAIN_PYTHON]
    said = subprocess.run(plain, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    pairs = [each.split()[1:3] for each in said.splitlines()]
    assert pairs == [["A", "B"], ["A", "C"], ["B", "C"]] * campaign.criteria.count()


def test_changed_export_is_told_from_one_that_differs(tmp_path):
    exported(duel(prompts=4, people=4), tmp_path, "jsonl")
    (votes,) = tmp_path.glob("data/*.jsonl")
    lines = votes.read_text().splitlines(keepends=True)
    votes.write_text("".join(lines[1:]))
    with pytest.raises(BadInputError, match="was changed since it was exported"):
        replay(tmp_path)
    sums = tmp_path / "SHA256SUMS"
    name = votes.relative_to(tmp_path).as_posix()
    sums.write_text(
        "".join(
            f"{sha256_of(votes)}  {name}\n" if line.endswith(f"  {name}\n") else line
            for line in sums.read_text().splitlines(keepends=True)
        )
    )
    assert re.match(r"\w+: printed \d+, computed \d+", replay(tmp_path).difference)


def test_what_a_file_manager_leaves_beside_the_votes_is_not_read(tmp_path):
    exported(duel(prompts=2, people=4), tmp_path, "csv")
    (tmp_path / "data" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (votes,) = tmp_path.glob("data/*.csv")
    votes.with_stem(f"{votes.stem} copy").write_bytes(votes.read_bytes())
    assert replay(tmp_path).difference == ""


def test_first_difference_is_told_with_its_place():
    printed = {"groups": [{"net": 0.1, "n": 3}], "only": 1}
    assert first_difference(printed, json.loads(json.dumps(printed))) == ""
    changed = {"groups": [{"net": 0.1, "n": 3}], "only": 1}
    changed["groups"][0]["net"] = 0.10000000000000002
    assert first_difference(printed, changed) == (
        "groups[0].net: printed 0.1, computed 0.10000000000000002"
    )
    assert first_difference(printed, {"groups": printed["groups"]}) == "only is only printed"
    assert "True" in first_difference({"x": 1}, {"x": True})
