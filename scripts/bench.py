#!/usr/bin/env python3
"""The part of bench.sh that builds and measures.

Each figure comes from a process of its own, which runs one row: cadena_bench_ours,
cadena_bench_libtorch (the peer) and cadena_bench_limits (what the row could cost at best). Their
rounds are interleaved, so that a busy moment hits all three, and medians are taken.
"""

import argparse
import dataclasses
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

from bench_page import ROOT, SCALES, machine, page, records, show, table

PAGE = ROOT / "docs" / "performance.md"
TOLERANCE = 1e-4  # of a tensor's norm: float32 in another order, ten steps of Adam
FINALISTS = 2  # arrangements of the peer that are measured in all rounds


class Problem(Exception):
    """What the user is told before the script ends."""


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # as the programs know it
    title: str
    kind: str  # what bounds it: overhead, product, stream or compute
    unit: str
    compiled: bool = False  # Cadena does it as a compiled function, too
    rest: bool = False  # a step that is timed after a millisecond of rest, too
    remark: str = ""  # for the page: why it is as it is


ROWS = (
    Row("scalar_operator", "scalar operator, forward + backward", "overhead", "µs", compiled=True),
    Row("mlp_2_8_2", "MLP 2-8-2, batch 4, Adam step", "overhead", "µs", compiled=True, rest=True),
    Row("mlp_784_128_10", "MLP 784-128-10, batch 32, Adam step", "product", "µs", compiled=True, rest=True),
    Row("mlp_784_512_512_10", "MLP 784-512-512-10, batch 128, Adam step", "product", "ms", compiled=True,
        rest=True),
    Row("mlp_1024_x4", "MLP 1024-1024-1024-1024-1024, batch 256, Adam step", "product", "ms", compiled=True,
        rest=True),
    Row("adam_10m", "Adam on 10M parameters", "stream", "ms", compiled=True, rest=True),
    Row("cross_entropy", "softmax + cross-entropy 8192×1024, with gradient", "compute", "ms", compiled=True,
        rest=True),
    Row("elementwise_chain", "sum(tanh(2x+1)·σ(x) + exp(−exp(x²))), 4M, with gradient", "compute",
        "ms", compiled=True, remark="Run operator by operator, each result and each gradient goes through "
        "memory: multiplications and additions take more than half of the time (`perf record`), "
        "the transcendental functions a third."),
    Row("layer_norm", "layer norm 4096×1024, forward + backward", "stream", "ms", compiled=True),
    Row("layer_norm_operators", "the same written from operators (libtorch: its layer norm)",
        "stream", "ms", compiled=True),
    Row("products_batched", "1000 products of 16×16, batched", "product", "µs"),
    Row("products_single", "1000 products of 16×16, one by one", "overhead", "µs"),
    Row("sum_axis_0", "sum over axis 0 of 64×256×1024", "stream", "ms"),
    Row("sum_axis_1", "sum over axis 1 of 64×256×1024", "stream", "ms"),
    Row("sum_axis_2", "sum over axis 2 of 64×256×1024", "stream", "ms"),
    Row("sum_all", "sum over all of 64×256×1024", "stream", "ms",
        remark="This one and the row above read 64 MiB once and compute next to nothing: both "
        "libraries run at the speed of memory, as the limit does, and which is ahead changes from "
        "run to run. Prefetching a page ahead was tried and made it slower."),
    Row("gather_scatter", "gather, then scatter_add, along axis 0 of 4096×1024", "stream", "ms",
        remark="The indices are random: each element is on another line of the cache than the one "
        "before, which no stream knows. 40% of the time is the ordered sum in float64, which "
        "gives the same bits on any number of threads, a quarter the gather (`perf record`)."),
    Row("chain_1m", "chain of 1M nodes: built, differentiated, destroyed", "overhead", "ms"),
    Row("node_memory", "memory per node of that chain, values included", "overhead", "bytes"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """A way to run the peer."""

    name: str
    environment: dict
    options: tuple = ()


@dataclasses.dataclass
class Programs:
    ours: pathlib.Path
    peer: pathlib.Path | None  # None without libtorch
    limits: pathlib.Path | None  # built with g++ alone


def say(text):
    print(text, file=sys.stderr, flush=True)


# Building


def quietly(command, log):
    with open(log, "w", encoding="utf-8") as output:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if result.returncode != 0:
        raise Problem(f"{log.read_text(errors='replace')}\nfailed: {shlex.join(map(str, command))}")


def install(*packages):
    """Whether the packages are there in the end."""
    return subprocess.run([ROOT / "scripts" / "install_dependencies.sh", *packages],
                          stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0


def build_peer(directory, log):
    """The program, or None where libtorch is missing."""
    if not install("libtorch-dev", "libopenblas0-openmp"):
        say("libtorch could not be installed")
    try:
        quietly(["cmake", "-S", ROOT / "bench" / "peer", "-B", directory, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=Release"], log)
    except Problem as problem:
        say(f"{problem}\nlibtorch is missing: there will be no figures of it")
        return None
    say(f"building libtorch's rows in {directory}")
    quietly(["cmake", "--build", directory, "--parallel", str(os.cpu_count())], log)
    return directory / "cadena_bench_libtorch"


def build(directory):
    install()
    for tool in ("cmake", "ninja"):
        if not shutil.which(tool):
            raise Problem(f"{tool} is needed")
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "bench.log"
    say(f"building Cadena's rows in {directory}")
    quietly(["cmake", "-S", ROOT, "--preset", "release", "-B", directory,
             "-DCADENA_BUILD_BENCH=ON"], log)
    quietly(["cmake", "--build", directory, "--target", "bench/all",
             "--parallel", str(os.cpu_count())], log)
    limits = directory / "bench" / "cadena_bench_limits"
    return Programs(directory / "bench" / "cadena_bench_ours",
                    build_peer(directory / "bench-peer", log),
                    limits if limits.exists() else None)


# Running


def run(program, names, options=(), environment=None):
    """What a program prints: an object for each row."""
    command = [str(program), *options, *names]
    result = subprocess.run(command, env={**os.environ, **(environment or {})}, text=True,
                            stdin=subprocess.DEVNULL, capture_output=True)
    if result.returncode != 0:
        ending = (f"signal {-result.returncode}" if result.returncode < 0
                  else f"status {result.returncode}")
        raise Problem(f"{shlex.join(command)} ended with {ending}\n{result.stderr.strip()}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def libraries_of_blas():
    """Directories of the BLAS libraries that are installed, by their Debian names."""
    found = {}
    for path in sorted(glob.glob("/usr/lib/*/*/libblas.so.3")):
        directory = pathlib.Path(path).parent
        found["reference BLAS" if directory.name == "blas" else directory.name] = str(directory)
    return found


def arrangements(blas):
    """What is likely best, then all choices with the best BLAS, then the other BLAS libraries.

    Threads that wait actively are awake for the next loop, also after a rest.
    """
    thresholds = ("glibc.malloc.mmap_threshold=4294967296:"
                  "glibc.malloc.trim_threshold=4294967296")
    flush = ("flush-to-zero", ())
    keep = ("denormals kept", ("--keep-denormals",))
    plain = ("glibc's malloc as it is", {})
    large = ("large mmap threshold", {"GLIBC_TUNABLES": thresholds})
    huge = ("large mmap threshold and huge pages",
            {"GLIBC_TUNABLES": thresholds + ":glibc.malloc.hugetlb=1"})
    active = {"OMP_WAIT_POLICY": "active"}
    libraries = {name: (name, {"LD_LIBRARY_PATH": path}) for name, path in blas.items()}
    best = libraries.pop("openblas-openmp", ("the system's BLAS", {}))
    choices = [(best, flush, large)]
    choices += [(best, denormals, malloc) for denormals in (flush, keep)
                for malloc in (plain, large, huge) if (denormals, malloc) != (flush, large)]
    choices += [(library, flush, large) for library in libraries.values()]
    found = [Arrangement(f"{library[0]}, {denormals[0]}, {malloc[0]}",
                         {**library[1], **malloc[1]}, denormals[1])
             for library, denormals, malloc in choices]
    awake = [Arrangement(f"{best[0]}, {flush[0]}, {malloc[0]}, threads that wait actively",
                         {**best[1], **malloc[1], **active}, flush[1])
             for malloc in (large, plain, huge)]
    return found[:1] + awake + found[1:]


class Bench:
    def __init__(self, programs, threads, seconds):
        self.programs = programs
        self.threads = threads
        self.seconds = seconds

    def options(self, seconds, *more):
        return ("--threads", str(self.threads), "--seconds", str(seconds), *more)

    def peer(self, row, arrangement, seconds, *more):
        environment = {"OMP_NUM_THREADS": str(self.threads), **arrangement.environment}
        return run(self.programs.peer, [row.name],
                   self.options(seconds, *arrangement.options, *more), environment)[0]

    def finalists(self, row, choices):
        """The fastest arrangements of the peer, in a loop or after a rest."""
        rest, fields = (("--rest",), ("figure", "rested")) if row.rest else ((), ("figure",))
        results = {}
        for arrangement in choices:
            result = self.peer(row, arrangement, min(self.seconds, 0.3), *rest)
            results[arrangement] = result
            figures = " and rested ".join(show(result[field] * SCALES[row.unit], row.unit)
                                          for field in fields)
            say(f"  {row.name}: {figures} with {arrangement.name}")
        best = []
        for field in fields:
            ranked = sorted(choices, key=lambda arrangement: results[arrangement][field])
            best += [arrangement for arrangement in ranked[:FINALISTS] if arrangement not in best]
        return best

    def round(self, row, finalists, has_limit):
        """Ours, ours compiled, the peer's and the limit, one after the other."""
        rest = ("--rest",) if row.rest else ()
        return {
            "ours": run(self.programs.ours, [row.name], self.options(self.seconds, *rest))[0],
            "compiled": run(self.programs.ours, [row.name], self.options(
                self.seconds, *rest, "--compiled"))[0] if row.compiled else None,
            "peer": {arrangement.name: self.peer(row, arrangement, self.seconds, *rest)
                     for arrangement in finalists},
            "limit": run(self.programs.limits, [row.name],
                         self.options(self.seconds))[0] if has_limit else None,
        }

    def measure(self, rows, rounds, choices, keep):
        """The records, also handed to `keep` each time one has changed."""
        limited = set()
        if self.programs.limits:
            listed = subprocess.run([self.programs.limits, "--list"], capture_output=True, text=True,
                                    check=True)
            limited = set(listed.stdout.split())
        chosen = {row: [] for row in rows}
        if self.programs.peer:
            say(f"looking for the peer's {FINALISTS} fastest of {len(choices)} arrangements, row by "
                "row")
            chosen = {row: self.finalists(row, choices) for row in rows}
        results = {row: [] for row in rows}
        found = []
        for number in range(1, rounds + 1):
            for row in rows:
                say(f"round {number} of {rounds}: {row.name}")
                has_limit = row.kind != "overhead" and row.name in limited
                results[row].append(self.round(row, chosen[row], has_limit))
                found = [record for each in rows for record in records(each, results[each])]
                keep(found)
        return found

    def check(self, rows, arrangement):
        """Whether ours and the peer's compute the same; prints what differs."""
        right = True
        for row in rows:
            ours = run(self.programs.ours, [row.name], self.options(self.seconds, "--check"))[0]
            peer = self.peer(row, arrangement, self.seconds, "--check")
            difference = compare(ours["check"], peer["check"])
            if row.compiled:
                compiled = run(self.programs.ours, [row.name],
                               self.options(self.seconds, "--check", "--compiled"))[0]
                if compiled["check"] != ours["check"]:
                    print(f"{row.name}: DIFFERS when compiled")
                    right = False
            if not ours["check"] and not peer["check"]:
                print(f"{row.name}: has no values to compare")
            elif difference <= TOLERANCE:
                print(f"{row.name}: same, {len(ours['check'])} tensors, difference "
                      f"{difference:.1e} of the norm")
            else:
                print(f"{row.name}: DIFFERS by {difference:.1e} of the norm "
                      f"(allowed {TOLERANCE:.0e})\n  ours {ours['check']}\n  peer {peer['check']}")
                right = False
        return right


def compare(ours, peer):
    """The largest difference of two lists of (projection, norm), as a part of the norm."""
    if len(ours) != len(peer):
        return float("inf")
    worst = 0.0
    for (projection, norm), (other_projection, other_norm) in zip(ours, peer):
        size = max(norm, other_norm)
        if size == 0:
            continue
        difference = max(abs(projection - other_projection), abs(norm - other_norm)) / size
        worst = max(worst, difference if difference == difference else float("inf"))
    return worst


# The command


def busy(seconds=1.0):
    """How many cores other processes use."""
    def ticks():
        fields = [int(field) for field in
                  pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields) - fields[3] - fields[4]  # without idle and waiting for disks
    try:
        before = ticks()
        time.sleep(seconds)
        return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds
    except (OSError, ValueError, IndexError):
        return 0.0

def arguments(words):
    parser = argparse.ArgumentParser(
        prog="bench.sh", allow_abbrev=False,
        description="Compares Cadena with libtorch and with what the machine could do, and prints a "
        "Markdown table; what it does meanwhile goes to standard error. Installs and builds what is "
        "missing first. Without libtorch there are Cadena's figures and the limits alone.",
        epilog="All rows take some 20 minutes with the defaults; choose a quiet moment.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="measure each row so many times and take the median (default 5)")
    parser.add_argument("--rows", default="", metavar="REGEX",
                        help="only the rows whose name matches somewhere (see --list)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="also write the table as JSON, an object a line; kept up to date on the "
                        "way, so that an interrupted run leaves what it has measured")
    parser.add_argument("--write-docs", action="store_true",
                        help="also write docs/performance.md; needs all rows")
    parser.add_argument("--check", action="store_true",
                        help="instead of measuring, compare what Cadena and libtorch compute")
    parser.add_argument("--list", action="store_true", help="print the names of the rows, and do nothing else")
    parser.add_argument("--threads", type=int, default=2, metavar="N",
                        help="threads of Cadena, libtorch and the limits (default 2)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S",
                        help="repeat each row's step for so long in each round (default 0.5)")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release",
                        metavar="DIR", help="where to build (default build/release)")
    options = parser.parse_args(words)
    if options.rounds < 1 or options.threads < 1 or not 0 < options.seconds < 1e4:
        parser.error("--rounds, --threads and --seconds must be positive")
    try:
        options.chosen = [row for row in ROWS if re.search(options.rows, row.name)]
    except re.error as error:
        parser.error(f"--rows {options.rows}: {error}")
    if not options.chosen:
        parser.error(f"--rows {options.rows}: no such row; there are "
                     + ", ".join(row.name for row in ROWS))
    if options.write_docs and (options.check or len(options.chosen) < len(ROWS)):
        parser.error("--write-docs needs all rows, measured")
    if options.json and not options.json.resolve().parent.is_dir():
        parser.error(f"--json {options.json}: no such directory")
    return options


def main(words, build=build):
    options = arguments(words)
    if options.list:
        print("\n".join(row.name for row in options.chosen))
        return 0
    options.build = options.build.resolve()
    bench = Bench(build(options.build), options.threads, options.seconds)
    choices = arrangements(libraries_of_blas())
    if not bench.programs.peer and (options.check or options.write_docs):
        raise Problem(f"{'--check' if options.check else '--write-docs'} needs libtorch")
    if options.check:
        return 0 if bench.check(options.chosen, choices[0]) else 1

    others = busy()
    if others > 0.2:
        say(f"warning: other processes use {others:.1f} of {os.cpu_count()} cores; measure at a "
            "quiet moment")

    def keep(found):
        if options.json:
            lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in found]
            part = options.json.with_name(options.json.name + ".part")
            part.write_text("".join(lines), encoding="utf-8")
            part.replace(options.json)

    found = bench.measure(options.chosen, options.rounds, choices, keep)
    print(table(found))
    if options.json:
        say(f"written: {options.json}")
    if options.write_docs:
        command = shlex.join(["./scripts/bench.sh", *words])
        PAGE.write_text(page(found, ROWS, machine(options.build, options.threads), command),
                        encoding="utf-8")
        say(f"written: {PAGE}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        say(f"bench.sh: {problem}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("bench.sh: interrupted")
        sys.exit(130)
