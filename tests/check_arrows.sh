#!/usr/bin/env bash
# check_arrows.sh SOURCE_DIR: checks who includes whom (docs/architecture.md draws it).
#
# 1. Includes of ours follow the arrows between parts, and are written <cadena/...>.
# 2. The heavy libraries stay in the files that are meant to use them.
# 3. No public header brings them in, directly or through others, but autograd/graph/elementwise.hpp
#    and what lies in autograd/kernels/.
set -euo pipefail
cd "$1"

readonly elementwise=autograd/graph/elementwise.hpp
mapfile -t files < <(find autograd nn optim data io -name '*.hpp' -o -name '*.cpp' | sort)

wrong=$(awk -v elementwise="$elementwise" '
  function part(path) {
    if (match(path, /^autograd\/[a-z]+\//)) return substr(path, 10, RLENGTH - 10)
    sub(/\/.*/, "", path)
    return path
  }
  # What a part may include besides itself.
  BEGIN {
    allowed["core"] = ""
    allowed["kernels"] = "core"
    allowed["graph"] = "core kernels ops"   # derivatives are written with operators
    allowed["ops"] = "core kernels graph"
    allowed["compile"] = "core kernels graph ops"
    allowed["nn"] = allowed["data"] = "autograd core graph ops compile"
    allowed["optim"] = "autograd core kernels graph ops compile"   # an update is a kernel
    allowed["io"] = "autograd core graph ops compile nn"
    allowed["autograd"] = "core kernels graph ops compile"   # a header for the whole of autograd
  }
  function may(file, from, to, path) {
    if (from == to || index(" " allowed[from] " ", " " to " ")) return 1
    # The tensor handle is declared low, and some of its members are defined over the operators.
    if (file ~ /\.cpp$/ && from == "core") return to == "kernels" || to == "graph" || to == "ops"
    # Parallel loops are public. Scalar functors, and what can be read off one, are what kernels run.
    if (path == "autograd/kernels/parallel.hpp") return from != "core"
    # An optimizer is a recurrence that kernels run.
    if (from == "optim") return path ~ /^autograd\/kernels\/(level|recurrence|recurrence_loops)\.hpp$/
    return from == "kernels" && path ~ /^autograd\/ops\/(elementary(_[a-z]+)?|functor)\.hpp$/
  }
  function heavy(name) {
    if (name ~ /^(oneapi\/)?tbb(\/|\.h)/) return "TBB"
    if (name ~ /^(oneapi\/)?dnnl/) return "oneDNN"
    if (name ~ /^xsimd/) return "xsimd"
    if (name ~ /^(unsupported\/)?Eigen\//) return "Eigen"
    return ""
  }
  function may_use(file, library) {
    if (library == "TBB") return file == "autograd/kernels/parallel.cpp"
    if (library == "Eigen") return file ~ /^autograd\/kernels\/[a-z0-9_]*_eigen\.(cpp|hpp)$/
    if (library == "oneDNN") return file ~ /^autograd\/kernels\/[a-z0-9_]*\.cpp$/
    return file ~ /^autograd\/kernels\//
  }
  !/^[ \t]*#[ \t]*include[ \t]*[<"]/ { next }
  {
    file = FILENAME
    match($0, /[<"][^>"]*/)
    name = substr($0, RSTART + 1, RLENGTH - 1)
    from = part(file)
    if (substr($0, RSTART, 1) == "\"") print file ": write <cadena/...> instead of \"" name "\""
    if (sub(/^cadena\//, "", name)) {
      if (name == "cadena.hpp") print file ": cadena.hpp is for users"
      else if (!may(file, from, part(name), name))
        print file ": " from " may not include " name
      uses[file] = uses[file] " " name
    } else {
      library = heavy(name)
      if (library != "" && !may_use(file, library)) print file ": may not include " library
      if (library != "") brings[file] = library
      if (name == "iostream" && file ~ /\.hpp$/) print file ": a header may not include <iostream>"
    }
    seen[file] = 1
    ++includes
  }
  # The first heavy library that `file` reaches, with the way there.
  function reach(file, visited, used, k, n, found) {
    if (file in visited) return ""
    visited[file] = 1
    if (file in brings) return file " (" brings[file] ")"
    n = split(uses[file], used, " ")
    for (k = 1; k <= n; ++k) {
      if (used[k] == elementwise) continue
      found = reach(used[k], visited)
      if (found != "") return file " -> " found
    }
    return ""
  }
  END {
    for (file in seen) {
      if (file !~ /\.hpp$/ || file ~ /^autograd\/kernels\// || file == elementwise) continue
      delete visited
      way = reach(file, visited)
      if (way != "") print "a public header brings in a heavy library: " way
    }
    if (!includes) print "no includes found"
  }' "${files[@]}" | sort)

if [[ -n $wrong ]]; then
  printf '%s\n' "$wrong"
  exit 1
fi
echo "${#files[@]} files: all includes along the arrows"
