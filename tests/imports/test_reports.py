"""An imported campaign goes through every report, export and page, and says what it is."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evalplatform.reports.fingerprint import fingerprint
from evalplatform.reports.results import campaign_results
from evalplatform.reports.views import CSV_FILES
from evalplatform.tallies.models import Pending
from tests.counting import assert_tallies_are_true
from tests.imports.conftest import pair

NOTE = "IMPORTED: votes were cast elsewhere (file votes.csv), not on this site."


def duel(desk):
    rows = [
        pair("base", "tuned", "ab"[(at + who) % 3 > 0] if (at + who) % 4 else "tie",
             prompt=f"prompt {at}", annotator=f"u{who}")
        for at in range(12) for who in range(3)
    ]  # fmt: skip
    return desk.take(
        desk.csv(rows), "--criterion", "visual_appeal", "--question", "Which is nicer?"
    )


def ratings(desk):
    rows = [{"model": model, "rating": 1 + (at + who + len(model)) % 5, "prompt": f"prompt {at}",
             "annotator": f"u{who}"}
            for at in range(8) for who in range(3) for model in ("x", "yy", "zzz")]  # fmt: skip
    return desk.take(desk.csv(rows))


def gallery(desk):
    rows = [{"ranking": ">".join(sorted("xyz", key=lambda m: (ord(m) * (at + 3) + who * at) % 7)),
             "prompt": f"prompt {at}", "annotator": f"u{who}"}
            for at in range(8) for who in range(3)]  # fmt: skip
    return desk.take(desk.csv(rows))


@pytest.mark.parametrize("make", [duel, ratings, gallery])
def test_reports_and_pages_stand_and_say_imported(desk, make, rania, client, capsys):
    campaign = make(desk)
    assert not Pending.objects.exists(), "the first page would count all the votes"
    assert_tallies_are_true(campaign)
    capsys.readouterr()

    call_command("report", campaign.slug)
    assert NOTE in " ".join(capsys.readouterr().out.split())

    client.force_login(rania)
    page = client.get(reverse("reports:dashboard", args=[campaign.slug]))
    assert page.status_code == 200
    assert NOTE in page.content.decode()
    page = client.get(reverse("reports:protocol", args=[campaign.slug])).content.decode()
    assert NOTE in page
    assert "none picked" not in page
    assert "Imported at 2" in page
    for kind in ("votes.csv", "results.json", "dashboard.html", *CSV_FILES):
        exported = client.get(reverse("reports:export", args=[campaign.slug, kind]))
        assert exported.status_code == 200, kind
        content = b"".join(exported) if exported.streaming else exported.content
        if kind == "results.json":
            found = json.loads(content)
            assert found["imported_note"] == NOTE
            assert found["imported_from"]["file"] == "votes.csv"
        elif kind == "dashboard.html":
            assert NOTE in content.decode()
        elif kind == "votes.csv":
            assert len(content.decode().splitlines()) == 1 + campaign.assignments.count()
    listed = client.get(reverse("reports:campaign_list"))
    assert "imported votes" in listed.content.decode()


def test_card_of_an_export_says_of_imported_votes_what_is_known_alone(desk):
    out = desk.folder / "out"
    call_command("export", duel(desk).slug, "--as", "arena", "--out", out)
    card = (out / "README.md").read_text()
    assert 'annotations_creators: ["found"]' in card
    assert "whether annotators knew which arm made one, is not recorded" in card
    assert "those who were invited" not in card
    assert "self-hosted" not in (out / "croissant.json").read_text()


def test_protocol_is_frozen_and_says_what_is_known(desk):
    campaign = duel(desk)

    assert campaign.status == "closed"
    assert campaign.protocol["arms"] == [
        {"place": 0, "name": "base", "sha256": "", "kind": "model"},
        {"place": 1, "name": "tuned", "sha256": "", "kind": "model"},
    ]
    assert campaign.protocol["criteria"][0]["question"] == "Which is nicer?"
    assert campaign.settings is None


def test_quality_measures_and_fingerprint_stand(desk):
    campaign = duel(desk)

    quality = campaign_results(campaign).quality

    assert [each.votes for each in quality.annotators] == [12, 12, 12]
    assert quality.items_complete == 12
    assert len(fingerprint(campaign)) == 64


def test_annotators_are_told_that_it_is_closed(desk, client):
    campaign = duel(desk)

    page = client.get(reverse("annotation:work", args=[campaign.invitation]))

    assert page.status_code == 200
    assert "closed" in page.content.decode().lower()
    assert campaign.enrolments.count() == 3


@pytest.mark.parametrize("command", ["make_gold", "close_campaign"])
def test_commands_on_open_campaigns_refuse_it_in_one_line(desk, command):
    campaign = duel(desk)

    with pytest.raises(CommandError) as refusal:
        call_command(command, campaign.slug)

    assert "\n" not in str(refusal.value)


def test_resuming_it_says_that_it_is_closed(desk, capsys):
    call_command("run_eval", "--resume", duel(desk).slug)

    assert "takes no more votes" in capsys.readouterr().out
