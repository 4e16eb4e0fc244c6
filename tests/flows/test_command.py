"""`manage.py flow`: what a trainer needs before it asks."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalplatform.flows.models import Flow
from tests.flows.conftest import ask, new_flow

pytestmark = pytest.mark.django_db


def test_start_makes_a_flow_and_says_where_people_and_trainers_come(capsys):
    call_command("flow", "start", "taste", "--criterion", "visual_appeal", "--k", "2")
    flow = Flow.objects.get(slug="taste")
    assert (flow.images_per_panel, flow.k, flow.deadline_seconds) == (4, 2, 3600)
    said = capsys.readouterr().out
    assert flow.entrance in said
    assert flow.get_absolute_url() in said
    assert "/api/v1/flows/taste" in said
    with pytest.raises(CommandError, match="a flow 'taste' already"):
        call_command("flow", "start", "taste")
    call_command("flow", "start", "pairs", "--form", "pair", "--deadline", "60")
    assert Flow.objects.get(slug="pairs").images_per_panel == 2


def test_rules_are_read_from_a_file(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("[annotation]\nsession_cap = 5\n")
    with pytest.raises(CommandError, match=r"annotation\.session_cap"):
        call_command("flow", "start", "taste", "--rules", str(rules))


def test_status_ends_what_is_over_and_close_takes_no_more(capsys):
    flow = new_flow()
    ask(flow, 1, deadline_seconds=1, now=timezone.now() - timedelta(seconds=5))
    call_command("flow", "status", "taste")
    said = capsys.readouterr().out
    assert "1  late" in said
    assert "no worker of the default queue" in said
    call_command("flow", "close", "taste")
    flow.refresh_from_db()
    assert flow.status == Flow.Status.CLOSED
    with pytest.raises(CommandError, match="no flow 'nonesuch'; known: taste"):
        call_command("flow", "status", "nonesuch")
