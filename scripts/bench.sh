#!/usr/bin/env bash
# bench.sh [OPTION...]: compares Cadena with libtorch, row by row, and with what the machine could do.
# Installs and builds what is missing, measures and prints a Markdown table; --help lists the options.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if ! command -v python3 >/dev/null; then
  "$root/scripts/install_dependencies.sh" python3 >&2
fi
command -v python3 >/dev/null || {
  echo "bench.sh: python3 is needed" >&2
  exit 1
}
exec python3 -B "$root/scripts/bench.py" "$@"
