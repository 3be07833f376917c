#!/usr/bin/env bash
# format.sh [--check]: formats the C++ sources with clang-format 14, or says which are not formatted.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Another version formats some places in another way.
format=$(command -v clang-format-14 || command -v clang-format) || {
  echo "clang-format 14 is needed (Debian: clang-format-14)" >&2
  exit 1
}
if [[ $("$format" --version) != *"version 14."* ]]; then
  echo "clang-format 14 is needed, not: $("$format" --version)" >&2
  exit 1
fi

action=(-i)
if [[ ${1-} == --check ]]; then action=(--dry-run -Werror); fi
cd "$root"
find cadena.hpp autograd nn optim data io tests examples bench \
  \( -name '*.hpp' -o -name '*.cpp' \) -print0 | xargs -0 "$format" "${action[@]}"
