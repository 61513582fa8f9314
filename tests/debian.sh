# Programs of Debian packages, for the scripts of tests, which source this file. Each function does nothing where the program is
# there, and ends the script with a sentence where it cannot be had.
#   unpack PROGRAM PACKAGE DIRECTORY   unpacks the package into DIRECTORY and adds it to PATH: no service is started, nothing installed
#   install PROGRAM PACKAGE            installs the package, as root, with the libraries that it needs
PATH=$PATH:/usr/sbin

missing() { echo "There is no $1 here: install it; or run this ${2:-}on Debian." >&2; exit 1; }

update() { [ "$(id -u)" != 0 ] || apt-get -o DPkg::Lock::Timeout=600 -qq update; }

unpack() {
  local program=$1 package=$2 directory=$3
  PATH=$PATH:$directory/usr/sbin:$directory/usr/bin
  if command -v "$program" >/dev/null; then return; fi
  command -v apt-get >/dev/null || missing "$program"
  mkdir -p "$directory"
  update
  (cd "$directory" && rm -f "$package"_*.deb && apt-get -qq download "$package" && dpkg -x "$package"_*.deb .)
}

install() {
  local program=$1 package=$2 log
  if command -v "$program" >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || missing "$program" 'as root '
  log=$(mktemp)
  { update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends "$package"; } >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  rm "$log"
}
