"""The WSGI entry point that gunicorn serves."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from evalplatform.core.garbage import begin_loading, end_loading

begin_loading()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evalplatform.settings")
# A request's few queries are always the same; commands and workers also send very large ones,
# which prepared statements cannot hold.
os.environ.setdefault("PREPARED_STATEMENTS", "1")

application = get_wsgi_application()
# Views are loaded now, not at the first request: nobody waits for it, and processes that are forked
# from one (`--preload`) share them.
import_module(settings.ROOT_URLCONF)
end_loading()
