"""The steps of `make demo-needles` on a small haystack: each does its part, and none twice.

Real: planting, rules, pool, people over HTTP, captions, export, the draw, the table. Tuning and
judging stand for themselves in other tests: here it counts what they are given.
"""

import json
from collections import Counter

import pytest

from evalplatform.accounts.models import Annotator
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.curation.models import Pool
from evalplatform.demo.needles import steps
from evalplatform.demo.needles.steps import NeedlesDemo
from models_backend.curation import __main__ as curation
from models_backend.curation.scorers import registry
from models_backend.curation.scorers.base import ScorerIdentity
from models_backend.data.manifest import Record
from models_backend.files import sha256_of_file
from tests import factories, live
from tests.models_backend.tiny import write_records
from tests.simulation import drawings

pytestmark = pytest.mark.django_db(transaction=True)
THINGS = 12
SMALL = {
    "PLANTED": {"blurred": 3, "noisy": 0, "darkened": 2, "text": 0, "copy": 2, "crop": 0},
    "GENERALISTS": 3, "SPECIALISTS": 3, "WRITERS": 3,
}  # fmt: skip


class Finds:
    """In place of a network: finds nothing."""

    reads_fields = False

    def __init__(self, name, *measures):
        self.identity = ScorerIdentity(name, "none")
        self.measures = dict.fromkeys(measures, "float64")

    def score(self, samples):
        return [dict.fromkeys(self.measures, 0.0) for _ in samples]


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site() as address:
        yield address


@pytest.fixture
def demo(db, site, tmp_path, monkeypatch):
    """The demo with a small data set, few people, and its parts in this process."""
    data = tmp_path / "emoji"
    data.mkdir()
    records = []
    for number, name in enumerate(drawings.NAMES[:THINGS]):
        for style in ("3d", "flat"):
            path = data / f"{style}-{name}.png"
            path.write_bytes(drawings.png(drawings.draw(number, style)))
            records.append(Record(name, f"a {name}", [], "Artifacts", style, "", "CC0-1.0",
                                  sha256_of_file(path), path.name))  # fmt: skip
    write_records(data, records)
    picked = drawings.write_picks(tmp_path / "picked.tsv", count=THINGS)
    for name, value in {"folder": tmp_path / "demo", "dataset": data,
                        "taught_by": {"picked": picked}}.items():  # fmt: skip
        monkeypatch.setattr(NeedlesDemo, name, value)
    for name, value in SMALL.items():
        monkeypatch.setattr(steps, name, value)
    for name, *measures in (("ocr", "words", "area"), ("offensive", "score")):
        monkeypatch.setitem(registry._LOADERS, name, lambda _, n=name, m=measures: Finds(n, *m))
    monkeypatch.setattr(steps, "run_module", in_this_process)
    return NeedlesDemo(port=int(site.rpartition(":")[2]))


def in_this_process(module, verb, *arguments):
    given = [each for each in arguments if each != "--processes"]
    if "--processes" in arguments:
        given.remove("2")
    assert curation.main([verb, *given]) == 0


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_picks_come_out_of_the_haystack_and_as_many_are_drawn_beside(demo, monkeypatch):
    assert steps.plant_needles(demo) == "12 picked, 12 other style, 7 planted"
    steps.filter_by_rules(demo)
    assert steps.bring_pool(demo).startswith("needles: 2")
    first = steps.generalists_spare(demo)
    assert "12 of 12 picked" in first
    assert steps.generalists_spare(demo) == first  # found done
    assert "of 12 picked" in steps.specialists_choose(demo)
    told = steps.captions_written(demo)
    steps.export_and_draw(demo)
    truth = demo.truth()
    drawn = lines_of(demo.drawn / "manifest.jsonl")
    judged = lines_of(demo.curated / "curation.jsonl")
    picked = [each["source_sha256"] for each in judged if each["exported"]]
    assert len(picked) == len(drawn) >= 6
    assert Counter(truth[each].kind for each in picked) == {"picked": len(picked)}
    assert told.startswith(f"{len(picked)} of {len(picked)} approved")
    assert {each["caption"] for each in drawn} <= {f"a {name}" for name in drawings.NAMES}

    tuned = []
    monkeypatch.setattr(steps, "run_trainer", lambda *given: tuned.append(given))
    monkeypatch.setattr(steps, "register_checkpoint", lambda **given: given["name"])
    assert steps.tune_both(demo) == "needles-curated, needles-random"
    parent = Checkpoint.objects.get(name="pretrained")
    for (config, options), folder in zip(tuned, (demo.curated, demo.drawn), strict=True):
        assert config.is_file()
        told = dict(zip(options[::2], options[1::2], strict=True))
        assert (told["--tuning"], told["--parent"]) == (str(folder), str(parent.directory))
    assert Pool.objects.get(name="needles").caption_rounds.filter(closed_at=None).count() == 0


def test_table_says_of_each_campaign_who_wins(campaign, tmp_path, monkeypatch):
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(campaign, people, lambda each: factories.pick(each, 0))
    monkeypatch.setattr(NeedlesDemo, "folder", tmp_path)
    monkeypatch.setattr(steps, "CAMPAIGNS", {campaign.slug: ("a child", "its parent")})
    steps.write_results(NeedlesDemo(port=1))
    text = (tmp_path / "results.txt").read_text()
    assert text.count("a child against its parent") == 2  # a line a criterion
    assert text.count("a child wins") == 2
    assert "simulated" in text
