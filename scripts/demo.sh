#!/usr/bin/env bash
# demo.sh [OPTION...]: trains a multilayer perceptron on Fashion-MNIST and prints its accuracy.
# Installs what is missing, builds, and runs the example with the options given: --help lists them,
# --data DIR takes images of your own, --data spiral needs no images. The model is saved in
# build/release unless --save names another place.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

images=(dataset-fashion-mnist)
for option in "$@"; do
  case $option in --data | --data=* | --help | -h) images=() ;; esac
done
"$root/scripts/install_dependencies.sh" "${images[@]}"

build=$root/build/release
mkdir -p "$build"
log=$build/demo.log
quietly() {
  "$@" </dev/null >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
}
quietly cmake -S "$root" --preset release
make=(cmake --build "$build" --target fashion_mnist --parallel "$(nproc)")
if [[ -t 1 ]]; then
  "${make[@]}"  # on a terminal ninja keeps to one line
else
  quietly "${make[@]}"
fi

save=(--save "$build/fashion_mnist.safetensors")
for option in "$@"; do
  case $option in --save | --save=*) save=() ;; esac
done
exec "$build/examples/fashion_mnist" "${save[@]}" "$@"
