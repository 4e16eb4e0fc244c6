"""CSV files give every text back as it came, and every row a key to join on."""

import csv
import io
from random import Random
from string import ascii_letters

import pandas
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import Campaign, ImageSet, Item
from evalplatform.core.csv_text import csv_text
from evalplatform.promptsets.models import Prompt
from evalplatform.reports.csv_files import checks_csv, groups_csv, samples_csv, withheld_csv
from evalplatform.reports.results import campaign_results
from evalplatform.reports.votes_csv import votes_csv
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
# "NA", "nan", "null" and "None" are missing values to readers that are not told otherwise.
TEXTS = [
    "NA", "-5 degrees, snow", "=SUM(A1)", '"007"', "007", "@home", "é 中 👩‍👩‍👧", "a\nb\tc", "None",
    "+1", "\tindented ", "null, nan",
    "".join(Random(0).choices(ascii_letters, k=20_000)),  # longer than an index takes
]  # fmt: skip
# What docs/reports.md says to give pandas.
AS_TOLD = {"keep_default_na": False, "na_values": [""]}


@pytest.fixture
def odd():
    """A campaign of prompts that spreadsheets and data frames change."""
    wanted = {"prompts": len(TEXTS), "k": 2, "criteria": ["visual_appeal"]}
    draft = factories.make_draft(sampled=False, **wanted)
    for prompt in Prompt.objects.all():
        with factories.thawed():
            Prompt.objects.filter(pk=prompt.pk).update(text=TEXTS[prompt.position], category="NA")
    factories.make_samples(draft)
    open_campaign(campaign=draft)
    people = [Annotator.objects.create() for _ in range(2)]
    factories.judge_everything(draft, people, lambda slot: factories.pick(slot, 0))
    return Campaign.objects.get(pk=draft.pk)


def votes(campaign, **options):
    return b"".join(votes_csv(campaign, **options)).decode()


def test_votes_and_samples_are_read_back_as_they_were(odd):
    for text in (votes(odd), samples_csv(campaign_results(odd))):
        frame = pandas.read_csv(io.StringIO(text), **AS_TOLD)
        found = dict(zip(frame.prompt_position, frame.prompt_text, strict=True))
        assert [found[place] for place in range(len(TEXTS))] == TEXTS
        rows = list(csv.DictReader(io.StringIO(text)))
        assert {row["prompt_text"] for row in rows} == set(TEXTS)
    assert set(pandas.read_csv(io.StringIO(votes(odd)), **AS_TOLD).category) == {"NA"}


def test_key_joins_what_a_reader_lost(odd):
    """Without arguments pandas takes "NA" for nothing; the key has it all the same."""
    frame = pandas.read_csv(io.StringIO(votes(odd)))
    assert frame.prompt_text.isna().sum() == 4  # of NA and None, two votes each
    keys = ["prompt_set", "prompt_set_version", "prompt_position"]
    assert frame[keys].notna().all(axis=None)
    texts = pandas.DataFrame(Prompt.objects.values("position", "text"))
    joined = frame.merge(texts, left_on="prompt_position", right_on="position")
    assert len(joined) == len(frame)
    assert set(joined.text) == set(TEXTS)


def test_numbers_stay_numbers_and_empty_cells_nothing(odd):
    frame = pandas.read_csv(io.StringIO(votes(odd)), **AS_TOLD)
    for name in ("vote_id", "item", "image_set", "prompt_position", "slot", "counts"):
        assert frame[name].dtype == "int64"
    assert frame.excluded_by.isna().all()
    assert ',"",' not in votes(odd)


def test_every_row_has_the_keys_of_its_prompt_and_its_item(odd):
    rows = list(csv.DictReader(io.StringIO(votes(odd))))
    for row in rows:
        item = Item.objects.get(pk=row["item"])
        assert str(item.image_set_id) == row["image_set"]
        assert str(item.image_set.prompt.position) == row["prompt_position"]
    samples = list(csv.DictReader(io.StringIO(samples_csv(campaign_results(odd)))))
    assert len(samples) == 2 * len(TEXTS)
    for row in samples:
        (image_set,) = ImageSet.objects.filter(pk__in=row["image_sets"].split())
        assert str(image_set.prompt.position) == row["prompt_position"]
    results = campaign_results(odd)
    keys = ["prompt_set", "prompt_set_version", "prompt_position"]
    for text, wanted in ((checks_csv(results), [*keys, "item", "image_set"]),
                         (withheld_csv(results), keys)):  # fmt: skip
        assert {*wanted} <= {*text.partition("\n")[0].split(",")}


def test_excel_gets_a_mark_and_no_formula(odd, client, rania, tmp_path, capsys):
    file = tmp_path / "votes.csv"
    call_command("report", odd.slug, "--format=csv", "--for=excel", f"--output={file}")
    capsys.readouterr()
    assert file.read_bytes().startswith(b"\xef\xbb\xbfcampaign,")
    lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    found = {row["prompt_text"] for row in csv.DictReader(lines)}
    assert found == {"'" + each if each[0] in "=+-@\t" else each for each in TEXTS}
    client.force_login(rania)
    address = reverse("reports:export", args=[odd.slug, "votes.csv"])
    assert client.get(address, {"for": "excel"}).getvalue() == file.read_bytes()
    assert client.get(address).getvalue().decode() == votes(odd)
    assert (
        f"{address}?for=excel"
        in client.get(reverse("exports:tab", args=[odd.slug])).content.decode()
    )


@pytest.mark.parametrize("kind", ["checks", "groups", "samples", "withheld"])
def test_every_csv_file_is_given_for_excel(odd, capsys, client, rania, kind):
    call_command("report", odd.slug, f"--format={kind}", "--for=excel")
    out = capsys.readouterr().out
    assert out.startswith("\ufeff")
    client.force_login(rania)
    address = reverse("reports:export", args=[odd.slug, f"{kind}.csv"])
    assert client.get(address, {"for": "excel"}).content.decode().startswith("\ufeff")


def test_what_is_no_csv_is_not_given_for_excel(odd):
    with pytest.raises(CommandError, match="--for excel is for CSV"):
        call_command("report", odd.slug, "--format=json", "--for=excel")


def test_groups_are_named_in_quotation_marks(odd):
    rows = list(csv.DictReader(io.StringIO(groups_csv(campaign_results(odd)))))
    assert "NA" in {row["name"] for row in rows if row["by"] == "category"}


def test_text_of_any_kind_is_quoted_and_read_back():
    records = [{"a": 'x "y", z', "b": 1.5, "c": True}, {"a": "", "b": None, "more": "left out"}]
    assert csv_text(["a", "b", "c"], records) == 'a,b,c\n"x ""y"", z",1.5,1\n,,\n'
    excel = csv_text(["a"], [{"a": "=1"}, {"a": -1}], for_excel=True)
    assert excel == '\ufeffa\n"\'=1"\n-1\n'
