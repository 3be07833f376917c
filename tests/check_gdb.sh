#!/usr/bin/env bash
# check_gdb.sh SOURCE_DIR PROGRAM: does gdb show tensors by scripts/gdb/cadena.py? PROGRAM is
# gdb_program.cpp with debug information. 77, for skipped, where there is no gdb with Python, or it
# may not run programs.
set -uo pipefail
source_dir=$1 program=$2

if ! gdb --batch -nx -ex 'python print("python")' 2>/dev/null | grep -qx python; then
  echo "no gdb with Python"
  exit 77
fi
line=$(grep -n '// the breakpoint' "$source_dir/tests/gdb_program.cpp" | cut -d: -f1)
commands=()
for name in undefined matrix turned leaf truths number weight buffer absent shape several; do
  commands+=(-ex "print $name")
done
shown=$(gdb --batch -nx -iex 'set debuginfod enabled off' \
  -ex "source $source_dir/scripts/gdb/cadena.py" -ex "break gdb_program.cpp:$line" -ex run -ex 'set width 0' "${commands[@]}" "$program" 2>&1)
if grep -q -e 'ptrace: Operation not permitted' -e 'Could not trace the inferior' <<<"$shown"; then
  echo "gdb may not run programs here"
  exit 77
fi

result=0
while IFS= read -r wanted; do
  grep -qF -- "$wanted" <<<"$shown" || { echo "missing: $wanted" && result=1; }
done <<'END'
$1 = tensor(undefined)
$2 = tensor(float32 [3, 2]: 1., 2.5, 3., -4., 5., 6.)
$3 = tensor(float32 [2, 3], strides [1, 2]: 1., 3., 5., 2.5, -4., 6.)
$4 = tensor(float64 [12], requires_grad: 0., 1., 2., 3., 4., 5., 6., 7., 8., 9., ...)
$5 = tensor(boolean [3, 2]: false, true, true, false, true, true)
$6 = tensor(int64 []: 7)
$7 = parameter(float32 [2], requires_grad: 0.5, 0.5)
$8 = buffer(float32 [1]: 0.)
$9 = parameter(undefined)
$10 = [3, 2]
$11 = SmallVector of 2 = {tensor(float32 [3, 2]: 1., 2.5, 3., -4., 5., 6.), tensor(undefined)}
END
if ((result != 0)); then printf '%s\n' "$shown"; fi
exit "$result"
