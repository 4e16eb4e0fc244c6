"""The files of deploy/ against what is there: figures, settings, services, commands."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.urls import get_resolver

DEPLOY = Path(settings.FILES_DIR) / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
ALERTS = yaml.safe_load((DEPLOY / "prometheus/evalplatform-alerts.yml").read_text())
DASHBOARD = json.loads((DEPLOY / "grafana/evalplatform.json").read_text())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
# Made by Prometheus itself.
OTHERS = {"up"}


def expressions() -> list[str]:
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    return rules + [each["expr"] for panel in DASHBOARD["panels"] for each in panel["targets"]]


@pytest.fixture
def exported(db, client, settings, campaign) -> set[str]:
    """The names of all figures that /metrics has, of a site with a campaign, a worker, requests."""
    from tests import factories

    factories.make_worker("w", images_per_second=1)
    settings.METRICS_TOKEN = "secret"
    client.get("/healthz")
    text = client.get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode()
    families = re.findall(r"^# TYPE (\S+) (\S+)", text, re.M)
    return {name for name, _ in families} | {
        f"{name}_bucket" for name, kind in families if kind == "histogram"
    }


def test_alerts_and_dashboard_ask_for_figures_that_exist(exported):
    asked = {
        name
        for each in expressions()
        for name in re.findall(r"\b(evalplatform_\w+|up)\b", re.sub(r'"[^"]*"', '""', each))
    }
    assert len(asked) > 10
    assert asked - exported - OTHERS == set()


def test_alerts_and_dashboard_name_routes_that_exist():
    named = set(re.findall(r'route="([^"]+)"', " ".join(expressions())))
    assert named
    known = {
        f"{space}:{name}"
        for space, (_, inside) in get_resolver().namespace_dict.items()
        for name in inside.reverse_dict
        if isinstance(name, str)
    }
    assert named - known == set()


def test_every_alert_says_what_to_do():
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert rule["for"]
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule["annotations"]) == {"summary", "todo"}


def test_promtool_takes_the_rules():
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not installed")
    rules = DEPLOY / "prometheus/evalplatform-alerts.yml"
    subprocess.run([promtool, "check", "rules", rules], check=True)


def test_panels_of_the_dashboard_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_systemd_takes_the_units(tmp_path):
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd is not installed")
    for unit in UNITS:
        text = re.sub(r"/srv/evalplatform/\.venv/bin/\w+", "/bin/true", unit.read_text())
        text = re.sub(r"^(User|Group)=.*", r"\1=root", text, flags=re.M)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [analyze, "verify", *sorted(tmp_path.iterdir())], capture_output=True, text=True
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert (done.returncode, complaints) == (0, [])


def test_units_and_compose_run_commands_and_queues_that_exist():
    from evalplatform.celery import QUEUES

    services = COMPOSE["services"].values()
    said = "\n".join(
        [unit.read_text() for unit in UNITS]
        + [" ".join(each["command"]) for each in services if isinstance(each.get("command"), list)]
    )
    commands = set(re.findall(r"(?:manage\.py|\bevalplatform) ([a-z_]+)", said))
    assert {"backup", "purge_personal_data", "migrate", "collectstatic"} <= commands
    assert commands - set(get_commands()) == set()
    assert set(re.findall(r"--queues (\w+)", said)) == set(QUEUES)


def test_compose_holds_together():
    services, volumes = COMPOSE["services"], set(COMPOSE["volumes"])
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if name != needed:
                assert needed in services
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], needed
        for each in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", each).split(":")[0]
            assert source.startswith("./") or source in volumes, each
            if source.startswith("./") and source != "./backups":
                assert (DEPLOY / source).exists(), each
        if "build" in service:
            build = service["build"]
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
    assert [name for name, each in services.items() if "ports" in each] == ["nginx"]


def test_compose_sets_only_settings_that_are_documented():
    documented = (Path(settings.BASE_DIR) / "docs/settings.md").read_text()
    for name in COMPOSE["services"]["web"]["environment"]:
        assert f"`{name}`" in documented, name
    # And asks for secrets instead of having any.
    text = (DEPLOY / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY"):
        assert f"{name}:?" in text


def test_image_is_built_of_what_is_there():
    text = (DEPLOY / "Dockerfile").read_text()
    root = Path(settings.BASE_DIR)
    sources = [
        each for line in re.findall(r"^COPY ([^-\n].*)$", text, re.M) for each in line.split()[:-1]
    ]
    assert len(sources) > 8
    assert [each for each in sources if not (root / each).exists()] == []


def test_nginx_takes_the_configuration_of_compose(tmp_path):
    if not (nginx := shutil.which("nginx")):
        pytest.skip("nginx is not installed")
    text = (DEPLOY / "nginx-compose.conf").read_text().replace("http://web:", "http://127.0.0.1:")
    text = text.replace("/dev/stdout", f"{tmp_path}/access").replace("/dev/stderr", f"{tmp_path}/e")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\n" + text)
    subprocess.run(
        [nginx, "-t", "-c", tmp_path / "nginx.conf", "-e", tmp_path / "errors"],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-compose.conf"])
@pytest.mark.parametrize("address", ["/prompts/logs/", "= /api/v1/log-builds"])
def test_nginx_waits_while_a_large_log_is_read(name, address):
    text = (DEPLOY / name).read_text()
    (block,) = re.findall(rf"location {re.escape(address)} {{(.*?)}}", text, re.DOTALL)
    assert "proxy_read_timeout 600s;" in block
