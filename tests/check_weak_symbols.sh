#!/usr/bin/env bash
# check_weak_symbols.sh NM LIST...: each LIST names the object files of one group, one a line: the
# host's, or one architecture's. Fails if a weak function is in two groups: the linker would keep one
# of them for both, and a program could run instructions that its processor lacks.
#
# Weak data (type names, constants) holds the same bytes in each group and is left out.
set -euo pipefail
nm=$1
shift

shared=$(for list in "$@"; do
  group=$(basename "$list" .objects)
  xargs -r -d '\n' "$nm" --defined-only --format=posix <"$list" |
    awk -v group="$group" '$2 == "W" {print $1, group}' | sort -u
done | awk '{groups[$1] = groups[$1] " " $2; ++count[$1]}
            END {for (s in count) if (count[s] > 1) print s " in" groups[s]}' | c++filt | sort)

if [[ -n $shared ]]; then
  printf '%s\n' "$shared"
  exit 1
fi
for list in "$@"; do
  [[ -s $list ]] || { echo "no objects in $list"; exit 1; }
done
echo "no weak function is in two of: $(for list in "$@"; do basename "$list" .objects; done | xargs)"
