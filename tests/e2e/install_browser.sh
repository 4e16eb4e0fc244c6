#!/bin/sh
# Make sure that a Chromium is there for the browser tests: the system's, Debian's, or playwright's.
set -eu
python=$1

for name in chromium-headless-shell chromium chromium-browser; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if "$python" - <<'PY'
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))
PY
then exit 0; fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Chromium for the browser tests"
    apt-get update -qq || true
    # The shell without windows is much quicker; older releases of Debian and Ubuntu lack it.
    for package in chromium-headless-shell chromium; do
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null && exit 0
    done
fi
echo "downloading playwright's Chromium for the browser tests"
if ! "$python" -m playwright install chromium; then
    echo "no Chromium could be installed; install one (Debian, Ubuntu: apt-get install chromium) and run make test again." >&2
    exit 2
fi
