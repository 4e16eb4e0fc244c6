#!/bin/sh
# Put an nginx there for the tests of deploy/nginx.conf where that needs nobody's password; without one they are skipped.
set -eu
if command -v nginx >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing nginx for the tests of deploy/nginx.conf"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nginx-light >/dev/null && exit 0
fi
echo "no nginx here: the tests of deploy/nginx.conf will be skipped (Debian, Ubuntu: apt-get install nginx-light)"
