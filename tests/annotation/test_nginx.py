"""Images through a real nginx: Python decides who may see one, nginx sends it."""

import shutil
import subprocess
import time

import pytest
import requests
from django.conf import settings
from django.urls import reverse

from tests import live

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]

CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location /protected/ {{
            internal; alias {objects}/; etag off; add_header Last-Modified "";
            if_modified_since off;
        }}
        location / {{ proxy_pass {site}; proxy_set_header Host $host; }}
    }}
}}
user root;
"""


@pytest.fixture
def proxied(tmp_path, campaign):
    port = live.free_port()
    with live.site(IMAGE_ACCEL_PREFIX="/protected/") as site:
        config = tmp_path / "nginx.conf"
        objects = settings.VAR_DIR / "objects"
        config.write_text(CONFIG.format(folder=tmp_path, port=port, objects=objects, site=site))
        nginx = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            yield address + reverse("annotation:work", args=[campaign.invitation])
        finally:
            nginx.terminate()
            nginx.wait()


def wait_for(address):
    for _ in range(100):
        try:
            requests.get(f"{address}/healthz", timeout=5)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"nginx did not answer at {address}")


def test_nginx_sends_the_image_and_its_name_never_leaves(proxied, campaign):
    annotator = requests.Session()
    annotator.get(proxied)
    token = {"csrfmiddlewaretoken": annotator.cookies["csrftoken"]}
    annotator.post(proxied + "begin/", data=token, headers={"Referer": proxied})
    pair = annotator.get(proxied + "next/").json()["pairs"][0]
    host = proxied.split("/annotate/")[0]
    image = annotator.get(host + pair["left"])
    assert image.content.startswith(b"\x89PNG")
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["Cache-Control"] == "private, max-age=3600, immutable"
    assert not {"X-Accel-Redirect", "ETag", "Last-Modified"} & set(image.headers)
    assert requests.get(host + pair["left"], timeout=5).status_code == 404
    name = campaign.comparisons.first().image_a
    assert annotator.get(f"{host}/protected/{name}").status_code == 404
