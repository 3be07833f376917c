#!/usr/bin/env bash
# install_dependencies.sh [PACKAGE...]: installs what Cadena needs to be built and tested, and the
# packages named, on Debian and Ubuntu. Touches nothing when all is there. Elsewhere it says what is
# needed and leaves the verdict to CMake.
set -euo pipefail

packages=(g++ cmake ninja-build libtbb-dev libdnnl-dev libeigen3-dev libxsimd-dev libfmt-dev
  librandom123-dev catch2 libbenchmark-dev "$@")
boost=(libboost libboost-iostreams libboost-json libboost-program-options)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  cat >&2 <<END
Not a Debian or Ubuntu: please see to these yourself (names as in Debian):
  ${packages[*]}
  Boost 1.81 or later: ${boost[*]/%/-dev}
END
  exit 0
fi

# Debian 12 calls Boost 1.81 libboost1.81-dev; later releases have at least that as libboost-dev.
installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
boost_suffix=-dev
if installed libboost1.81-dev; then
  boost_suffix=1.81-dev
elif ! dpkg --compare-versions "$(dpkg-query -W -f '${Version}' libboost-dev 2>/dev/null)" ge 1.81; then
  boost_suffix=  # neither is there: apt knows, once its lists are
fi

missing=()
note_missing() {
  local package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
}
note_missing "${packages[@]}"
[[ -z $boost_suffix ]] || note_missing "${boost[@]/%/$boost_suffix}"
if [[ -n $boost_suffix ]] && ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || {
    [[ -n $boost_suffix ]] || missing+=("Boost 1.81 or later")
    echo "Missing: ${missing[*]}; run this as root, or install sudo: $0 $*" >&2
    exit 1
  }
  as_root=(sudo)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)

"${as_root[@]}" update </dev/null
if [[ -z $boost_suffix ]]; then
  boost_suffix=-dev
  if apt-cache show libboost1.81-dev >/dev/null 2>&1; then boost_suffix=1.81-dev; fi
  note_missing "${boost[@]/%/$boost_suffix}"
fi
echo "Installing: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "${as_root[@]}" install --yes --no-install-recommends --no-remove "${missing[@]}" \
  </dev/null >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
