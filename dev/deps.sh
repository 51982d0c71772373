#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, from Debian, where apt-get
# and root are there. Elsewhere it names what is missing: the tests that need it
# are skipped, and `make test` lists them.
set -euo pipefail

missing=()
need() { # PROGRAM PACKAGE...
  command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || missing+=("${@:2}")
}
library() { # FILE PACKAGE
  PATH=$PATH:/sbin ldconfig -p | grep -q "$1 " || missing+=("$2")
}
need cc gcc libc6-dev                               # go test -race
need mariadbd mariadb-server-core mariadb-client-core # the programs alone: no service is started
need java default-jre-headless                      # Kafka and Spark
need mvn maven                                      # fetches Kafka, MySQL and Spark
library libaio.so.1 libaio1                         # MySQL
library libnuma.so.1 libnuma1                       # MySQL
need chromium chromium                              # tests of the page
need sqlite3 sqlite3                                # a person's way to the tables, as the README shows it

if [ ${#missing[@]} -eq 0 ]; then
  echo "C compiler, MariaDB, Java, Maven, what MySQL needs, Chromium and sqlite3 are here"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o Acquire::Retries=3 update -q >/dev/null
  apt-get -o Acquire::Retries=3 install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "not here, and not installed without root and apt-get: ${missing[*]}"
fi
