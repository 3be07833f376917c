#!/usr/bin/env bash
# check_docs.sh SOURCE_DIR: checks README.md and docs/.
#
# 1. Each block of C++ stands, but for white space, in tests/test_docs.cpp, in examples/ or in a
#    source of the library: so it compiles.
# 2. Each link to a file of the project leads to one.
set -euo pipefail
cd "$1"

mapfile -t pages < <(find README.md docs -name '*.md' | sort)
mapfile -t sources < <(find tests/test_docs.cpp examples cadena.hpp autograd nn optim data io \
  -name '*.hpp' -o -name '*.cpp' | sort)

wrong=$(awk '
  function bare(text) { gsub(/[ \t\r]/, "", text); return text }
  function close_block(k) {
    ++blocks
    for (k in code) if (index(code[k], block)) return
    print page ":" line ": this block of C++ stands in no source"
  }
  FNR == 1 { page = FILENAME; inside = 0 }
  FILENAME !~ /\.md$/ { code[FILENAME] = code[FILENAME] bare($0); next }
  inside && /^[ \t]*```/ { if (inside == 2) close_block(); inside = 0; next }
  inside { block = block bare($0); next }
  /^[ \t]*```cpp/ { inside = 2; block = ""; line = FNR; next }
  /^[ \t]*```/ { inside = 1; block = ""; next }
  {
    text = $0
    while (match(text, /\]\([^)]*\)/)) {
      link = substr(text, RSTART + 2, RLENGTH - 3)
      text = substr(text, RSTART + RLENGTH)
      sub(/#.*/, "", link)
      if (link == "" || link ~ /^https?:/) continue
      directory = page
      if (!sub(/\/[^\/]*$/, "", directory)) directory = "."
      if (system("test -e \"" directory "/" link "\"")) print page ":" FNR ": no such file: " link
      ++links
    }
  }
  END { if (!blocks || !links) print "no blocks or no links found" }' "${sources[@]}" "${pages[@]}")

if [[ -n $wrong ]]; then
  printf '%s\n' "$wrong"
  exit 1
fi
echo "${#pages[@]} pages: all C++ stands in sources, all links lead somewhere"
