#!/usr/bin/env bash
# test.sh [CTEST_OPTION...]: installs what is missing, builds everything and runs every test.
# CADENA_WERROR=ON in the environment makes warnings errors.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/install_dependencies.sh"

cmake -S "$root" --preset release -DCADENA_WERROR="${CADENA_WERROR:-OFF}"
cmake --build "$root/build/release" --parallel "$(nproc)"
ctest --test-dir "$root/build/release" --output-on-failure --no-tests=error --parallel 2 "$@"
