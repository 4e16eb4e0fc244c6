"""The embedded database for the test run, and a fixed cast for tests to use.

Rania is a researcher, Ana and Ben are annotators, Oscar is an annotator of nothing of ours.
"""

import copy
import functools
import gc
import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings

from evalplatform.annotation.turns import Walk
from evalplatform.core import embedded_postgres
from tests import brokers, factories, migrating, object_store, share_of_loading, warm
from tests.emptying import empty_databases

gc.disable()  # while all tests are loaded


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Load a share of the tests before the others.

    Processes that run tests side by side all load every test, and each file is compiled when
    first loaded. So each begins with files of its own, and finds the others' compiled.
    """
    share_of_loading.load(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: list[Any]) -> None:
    """Begin the processes that run tests side by side where much is loaded already."""
    warm.share()
    for spec in specs:
        spec.python = shlex.join([sys.executable, str(Path(__file__).with_name("warm_worker.py"))])


def pytest_collection_finish() -> None:
    """Keep what is loaded by now out of the garbage collector's way, and let it come seldom.

    By Python's own numbers it takes a fifteenth of the tests' time. Some libraries collect at each
    call (statsmodels' `multipletests`): with torch and all tests loaded, most of a second.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Start the embedded PostgreSQL unless DATABASE_URL names a server."""
    from django.db import connections

    if settings.EMBEDDED_POSTGRES_DIR:
        embedded_postgres.start(settings.EMBEDDED_POSTGRES_DIR)
        host = str(embedded_postgres.socket_dir(settings.EMBEDDED_POSTGRES_DIR))
        connections["default"].settings_dict["HOST"] = host
        _forget_the_disk(host)
        if "PYTEST_XDIST_WORKER" in os.environ:
            migrating.share(tmp_path_factory.getbasetemp().parent, settings.EMBEDDED_POSTGRES_DIR)


def _forget_the_disk(host: str) -> None:
    """Let the server of the tests answer before the disk has: its data is made anew each run."""
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            server.execute(f"ALTER SYSTEM SET {setting} = off")
        server.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Point the embedded broker at the test database once that exists."""
    from django.db import connection, connections

    from evalplatform.celery import app, transport_options

    app.conf.broker_transport_options = transport_options(
        settings.CELERY_BROKER_URL, connections["default"].settings_dict
    )
    yield
    if not settings.CELERY_BROKER_URL.startswith("pgmq"):
        brokers.remove_queues(app)
    app.pool.force_close_all()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        # The broker's connections would keep the test database from being dropped.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> Iterator[None]:
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: empty_databases())
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_up_once() -> Iterator[None]:
    """Let every test client have the files that the first one found: a look takes 9 ms.

    Collected files are looked up anew once they were collected anew.
    """
    from whitenoise.middleware import WhiteNoiseMiddleware

    found: dict[tuple[object, ...], dict[str, Any]] = {}

    def once(middleware: WhiteNoiseMiddleware, key: tuple[object, ...], look: Any) -> None:
        if key not in found:
            others, middleware.files = middleware.files, {}
            look()
            found[key], middleware.files = middleware.files, others
        middleware.files.update(found[key])

    find = WhiteNoiseMiddleware.add_files_from_finders
    walk = WhiteNoiseMiddleware.update_files_dictionary

    def from_finders(middleware: WhiteNoiseMiddleware) -> None:
        key = (middleware.static_prefix, *settings.STATICFILES_DIRS)
        once(middleware, key, lambda: find(middleware))

    def from_folder(middleware: WhiteNoiseMiddleware, root: str, prefix: str) -> None:
        manifest = Path(root) / "staticfiles.json"
        collected = manifest.stat().st_mtime_ns if manifest.exists() else None
        key = (root, prefix, collected)
        once(middleware, key, lambda: walk(middleware, root, prefix))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", from_finders)
        patch.setattr(WhiteNoiseMiddleware, "update_files_dictionary", from_folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def _packaged_text_encoder_works_once() -> Iterator[None]:
    """Give each model a copy of the encoder that was read first, and what it said of these texts.

    To read it takes half a second, and hundreds of tests ask for the same few captions.
    """
    from models_backend.nn.text import TokenEncoder
    from models_backend.nn.text_sources import PACKAGE, TextSource

    packaged = functools.cache(TextSource._packaged)  # which keeps its hash, once computed
    read, encode = TextSource.load, TokenEncoder.encode
    kept: dict[int, Any] = {}
    said: dict[tuple[int, tuple[str, ...]], Any] = {}

    def load(source: TextSource, tokens: int) -> tuple[Any, Any]:
        if source.name != PACKAGE:
            return read(source, tokens)
        if tokens not in kept:
            kept[tokens] = read(source, tokens)
        tokenizer, model = kept[tokens]
        return tokenizer, _copy_that_shares_weights(model)

    def encode_once(encoder: TokenEncoder, texts: list[str]) -> Any:
        if encoder.source.name != PACKAGE or encoder.device.type != "cpu":
            return encode(encoder, texts)
        assert encoder._parts  # loaded, as whoever looks expects
        asked = encoder.tokens, tuple(texts)  # together: a batch rounds in its own way
        if asked not in said:
            said[asked] = encode(encoder, texts)
        return said[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TextSource, "_packaged", packaged)
        patch.setattr(TextSource, "load", load)
        patch.setattr(TokenEncoder, "encode", encode_once)
        yield


def _copy_that_shares_weights(model: Any) -> Any:
    """Copy a network of which nobody changes the weights in place; it may be moved or converted."""
    from torch.nn import Parameter

    weights = {id(each): Parameter(each.data, each.requires_grad) for each in model.parameters()}
    return copy.deepcopy(model, weights)


@pytest.fixture(scope="session", autouse=True)
def _empty_folders() -> None:
    for name in ("objects", "checkpoints", "static"):
        shutil.rmtree(Path(settings.VAR_DIR) / name, ignore_errors=True)
    Path(settings.STATIC_ROOT).mkdir(parents=True)


@pytest.fixture
def rania(db):
    """A researcher who owns the default project."""
    from evalplatform.accounts.members import set_member
    from evalplatform.accounts.models import User
    from evalplatform.accounts.projects import default_project

    user = User.objects.create_user("rania", password="a long password")
    set_member(project=default_project(), user=user, role="owner")
    return user


@pytest.fixture
def ana(db):
    from evalplatform.accounts.models import Annotator

    return Annotator.objects.create(pseudonym="ana")


@pytest.fixture
def ben(db):
    from evalplatform.accounts.models import Annotator

    return Annotator.objects.create(pseudonym="ben")


@pytest.fixture
def oscar(db):
    from evalplatform.accounts.models import Annotator

    return Annotator.objects.create(pseudonym="oscar")


@pytest.fixture
def steady_turns(monkeypatch):
    """Let who enrols in this process have the same checks whenever the test runs."""
    from evalplatform.annotation.models import enrolments

    seeds = itertools.count(1)
    steady = SimpleNamespace(randbits=lambda bits: next(seeds))
    monkeypatch.setattr(enrolments, "secrets", steady)


@pytest.fixture(autouse=True)
def _walks_begin_at_the_first_item(request, monkeypatch):
    """Let a test say who meets which item when; those marked `own_start` walk as annotators do."""
    if not request.node.get_closest_marker("own_start"):
        from evalplatform.annotation.services import leasing

        monkeypatch.setattr(leasing, "walk_of", lambda enrolment: Walk(0.0, 0.0))


@pytest.fixture(autouse=True)
def _stand_ins_are_registered(request, monkeypatch):
    """Let tests register a few tensors for a model; those marked `would_load` bring real ones."""
    if not request.node.get_closest_marker("would_load"):
        from evalplatform.checkpoints.services import registering

        monkeypatch.setattr(registering, "refuse_unloadable", lambda directory, called: None)


@pytest.fixture
def red_detector(monkeypatch):
    """The safety detector `red` (tests.safety), as a worker's tasks load it."""
    from evalplatform.safety import tasks as safety_tasks
    from models_backend.detectors import registry as backend
    from tests.safety import Workshop

    monkeypatch.setattr(backend, "_LOADERS", dict(backend._LOADERS))
    yield Workshop()
    safety_tasks._warm_detector.cache_clear()


@pytest.fixture
def filtered(db, red_detector):
    """An open campaign of eight prompts of which the safety filter took out four."""
    from evalplatform.annotation.services import open_campaign
    from tests import safety

    draft = safety.make_draft(safety.HALF_FILTERED)
    safety.check(draft)
    open_campaign(campaign=draft)
    return draft


@pytest.fixture
def draft(db):
    """A campaign whose four prompts have all their samples, not opened yet."""
    return factories.make_draft(prompts=4)


@pytest.fixture
def campaign(draft):
    """The same campaign, open: 4 prompts, both criteria, five annotators a comparison."""
    from evalplatform.annotation.services import open_campaign

    open_campaign(campaign=draft)
    return draft


@pytest.fixture(scope="session")
def s3_store() -> Iterator[str]:
    """The address of an S3-compatible store that runs until the tests end."""
    with object_store.store() as address:
        yield address


@pytest.fixture
def bucket(s3_store):
    """An empty bucket of its own."""
    return object_store.make_bucket(s3_store)


@pytest.fixture
def images_in_s3(bucket, settings):
    """Images of this process are kept in `bucket`."""
    settings.STORAGES = settings.STORAGES | {"default": bucket.setting}
    return bucket
