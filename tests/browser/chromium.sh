#!/usr/bin/env bash
# Installs Debian's Chromium unless there is one.
set -euo pipefail
. "$(dirname "$0")/../debian.sh"
install chromium chromium
