#!/usr/bin/env bash
# lint.sh BUILD: runs clang-tidy 19 over the sources that the build directory BUILD compiles.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if (($# != 1)) || [[ ! -f $1/compile_commands.json ]]; then
  echo "usage: lint.sh BUILD, a configured build directory (cmake --preset release: build/release)" >&2
  exit 2
fi
build=$(cd "$1" && pwd)

# Earlier versions cannot read the sources: a floating template argument, "x86-64-v4".
tidy=$(command -v clang-tidy-19) || {
  echo "clang-tidy 19 is needed (Debian: clang-tidy-19)" >&2
  exit 1
}

# A kernel source is compiled several times: once read is enough.
cd "$root"
sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u |
  xargs -d '\n' -P "$(nproc)" -n 1 "$tidy" -p "$build" --quiet --extra-arg=-Wno-unknown-warning-option 2> >(grep -v ' warnings\? generated\.$' >&2)
