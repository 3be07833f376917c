#!/usr/bin/env python3
"""The part of bench.sh that builds, measures and writes tables.

Each figure comes from a process of its own, which runs one row: cadena_bench_ours,
cadena_bench_libtorch (the peer) and cadena_bench_limits (what the row could cost at best). Their
rounds are interleaved, so that a busy moment hits all three, and medians are taken.
"""

import argparse
import dataclasses
import datetime
import glob
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
TOLERANCE = 1e-3  # of a tensor's norm: float32 in another order, ten steps of Adam
SCALES = {"µs": 1e6, "ms": 1e3, "bytes": 1}  # of the programs' seconds or bytes


class Problem(Exception):
    """What the user is told before the script ends."""


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # as the programs know it
    title: str
    kind: str  # what bounds it: overhead, product, stream or compute
    unit: str
    rest: bool = False  # a step that is timed after a millisecond of rest, too
    remark: str = ""  # for the page: why it is as it is


ROWS = (
    Row("scalar_operator", "scalar operator, forward + backward", "overhead", "µs"),
    Row("mlp_2_8_2", "MLP 2-8-2, batch 4, Adam step", "overhead", "µs", rest=True),
    Row("mlp_784_128_10", "MLP 784-128-10, batch 32, Adam step", "product", "µs", rest=True),
    Row("mlp_784_512_512_10", "MLP 784-512-512-10, batch 128, Adam step", "product", "ms",
        rest=True),
    Row("mlp_1024_x4", "MLP 1024-1024-1024-1024-1024, batch 256, Adam step", "product", "ms",
        rest=True),
    Row("adam_10m", "Adam on 10M parameters", "stream", "ms", rest=True),
    Row("cross_entropy", "softmax + cross-entropy 8192×1024, with gradient", "compute", "ms",
        rest=True),
    Row("elementwise_chain", "sum(tanh(2x+1)·σ(x) + exp(−exp(x²))), 4M, with gradient", "compute",
        "ms"),
    Row("layer_norm", "layer norm 4096×1024, forward + backward", "stream", "ms"),
    Row("products_batched", "1000 products of 16×16, batched", "product", "µs"),
    Row("products_single", "1000 products of 16×16, one by one", "overhead", "µs"),
    Row("sum_axis_0", "sum over axis 0 of 64×256×1024", "stream", "ms"),
    Row("sum_axis_1", "sum over axis 1 of 64×256×1024", "stream", "ms"),
    Row("sum_axis_2", "sum over axis 2 of 64×256×1024", "stream", "ms"),
    Row("sum_all", "sum over all of 64×256×1024", "stream", "ms"),
    Row("gather_scatter", "gather, then scatter_add, along axis 0 of 4096×1024", "stream", "ms"),
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
    peer: pathlib.Path
    limits: pathlib.Path | None  # built with g++ alone


def say(text):
    print(text, file=sys.stderr, flush=True)


# Building


def quietly(command, log):
    with open(log, "w", encoding="utf-8") as output:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if result.returncode != 0:
        raise Problem(f"{log.read_text(errors='replace')}\nfailed: {shlex.join(map(str, command))}")


def build(directory):
    for tool in ("cmake", "ninja"):
        if not shutil.which(tool):
            raise Problem(f"{tool} is needed")
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "bench.log"
    jobs = ("--parallel", str(os.cpu_count()))
    say(f"building Cadena's rows in {directory}")
    quietly(["cmake", "-S", ROOT, "--preset", "release", "-B", directory,
             "-DCADENA_BUILD_BENCH=ON"], log)
    quietly(["cmake", "--build", directory, "--target", "bench/all", *jobs], log)
    peer = directory / "bench-peer"
    say(f"building libtorch's rows in {peer}")
    quietly(["cmake", "-S", ROOT / "bench" / "peer", "-B", peer, "-G", "Ninja",
             "-DCMAKE_BUILD_TYPE=Release"], log)
    quietly(["cmake", "--build", peer, *jobs], log)
    limits = directory / "bench" / "cadena_bench_limits"
    return Programs(directory / "bench" / "cadena_bench_ours", peer / "cadena_bench_libtorch",
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
    """What is likely best, then all choices with the best BLAS, then the other BLAS libraries."""
    thresholds = ("glibc.malloc.mmap_threshold=4294967296:"
                  "glibc.malloc.trim_threshold=4294967296")
    flush = ("flush-to-zero", ())
    keep = ("denormals kept", ("--keep-denormals",))
    plain = ("glibc's malloc as it is", {})
    large = ("large mmap threshold", {"GLIBC_TUNABLES": thresholds})
    huge = ("large mmap threshold and huge pages",
            {"GLIBC_TUNABLES": thresholds + ":glibc.malloc.hugetlb=1"})
    libraries = {name: (name, {"LD_LIBRARY_PATH": path}) for name, path in blas.items()}
    best = libraries.pop("openblas-openmp", ("the system's BLAS", {}))
    choices = [(best, flush, large)]
    choices += [(best, denormals, malloc) for denormals in (flush, keep)
                for malloc in (plain, large, huge) if (denormals, malloc) != (flush, large)]
    choices += [(library, flush, large) for library in libraries.values()]
    return [Arrangement(f"{library[0]}, {denormals[0]}, {malloc[0]}",
                        {**library[1], **malloc[1]}, denormals[1])
            for library, denormals, malloc in choices]


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

    def fastest(self, row, choices):
        figures = {}
        for arrangement in choices:
            figure = self.peer(row, arrangement, min(self.seconds, 0.3))["figure"]
            say(f"  {row.name}: {show(figure * SCALES[row.unit], row.unit)} with {arrangement.name}")
            figures[arrangement] = figure
        return min(figures, key=figures.get)

    def round(self, row, arrangement, has_limit):
        """Ours, the peer's and the limit, one after the other."""
        rest = ("--rest",) if row.rest else ()
        return {
            "ours": run(self.programs.ours, [row.name], self.options(self.seconds, *rest))[0],
            "peer": self.peer(row, arrangement, self.seconds, *rest),
            "limit": run(self.programs.limits, [row.name],
                         self.options(self.seconds))[0] if has_limit else None,
        }

    def measure(self, rows, rounds, choices):
        limited = set()
        if self.programs.limits:
            listed = subprocess.run([self.programs.limits, "--list"], capture_output=True, text=True,
                                    check=True)
            limited = set(listed.stdout.split())
        say(f"looking for the peer's fastest of {len(choices)} arrangements, row by row")
        chosen = {row: self.fastest(row, choices) for row in rows}
        results = {row: [] for row in rows}
        for number in range(1, rounds + 1):
            for row in rows:
                say(f"round {number} of {rounds}: {row.name}")
                has_limit = row.kind != "overhead" and row.name in limited
                results[row].append(self.round(row, chosen[row], has_limit))
        return [record for row in rows
                for record in records(row, chosen[row].name, results[row])]

    def check(self, rows, arrangement):
        """Whether ours and the peer's compute the same; prints what differs."""
        right = True
        for row in rows:
            ours = run(self.programs.ours, [row.name], self.options(self.seconds, "--check"))[0]
            peer = self.peer(row, arrangement, self.seconds, "--check")
            difference = compare(ours["check"], peer["check"])
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


# Results


def median(results, side, field):
    return statistics.median(result[side][field] for result in results)


def records(row, arrangement, results):
    """A record of the row in a loop and, for a step, one of it after a rest."""
    scale = SCALES[row.unit]
    limit = median(results, "limit", "figure") if results[0]["limit"] else None
    found = []
    for field, suffix, words in (("figure", "", ""), ("rested", "_rested", ", after 1 ms of rest")):
        if field == "rested" and not row.rest:
            continue
        ours, peer = median(results, "ours", field), median(results, "peer", field)
        found.append({
            "name": row.name + suffix,
            "title": row.title + words,
            "ours": ours * scale,
            "peer": peer * scale,
            "ratio": peer / ours,
            "unit": row.unit,
            "kind": f"{row.kind}-bound",
            "limit": limit * scale if limit else None,
            "fraction_of_limit": limit / ours if limit else None,
            "peak_memory_ours": median(results, "ours", "memory"),
            "peak_memory_peer": median(results, "peer", "memory"),
            "arrangement": arrangement,
            "rounds": len(results),
        })
    return found


def significant(value):
    """Three figures, without an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(value, unit):
    return f"{significant(value)} {unit}"


def table(found):
    """The records as Markdown, the arrangements as letters below."""
    letters = {}
    lines = ["| | Cadena | libtorch | ratio | bound by | of the limit | peak memory, MB | |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: | --- |"]
    for record in found:
        letter = letters.setdefault(record["arrangement"], chr(ord("A") + len(letters)))
        fraction = record["fraction_of_limit"]
        memory = " / ".join(f"{record[side] / 1e6:.0f}"
                            for side in ("peak_memory_ours", "peak_memory_peer"))
        lines.append("| " + " | ".join((
            record["title"],
            show(record["ours"], record["unit"]),
            show(record["peer"], record["unit"]),
            significant(record["ratio"]),
            record["kind"].removesuffix("-bound"),
            "-" if fraction is None else f"{fraction:.2f}",
            memory,
            letter)) + " |")
    lines += ["", "libtorch's fastest arrangement, row by row:", ""]
    lines += [f"- {letter}: {name}" for name, letter in letters.items()]
    return "\n".join(lines)


# The machine and the page


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def after(pattern, path):
    try:
        match = re.search(pattern, pathlib.Path(path).read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return ""
    return match[1].strip() if match else ""


def machine(build_directory, threads):
    """(what, which) pairs that tell the machine."""
    compiler = after(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", build_directory / "CMakeCache.txt") or "c++"
    memory = after(r"^MemTotal:\s+(\d+) kB", "/proc/meminfo")
    distribution = after(r'^PRETTY_NAME="(.*)"', "/etc/os-release")
    facts = [
        ("processor", after(r"^model name\s*:\s*(.*)$", "/proc/cpuinfo") or platform.machine()),
        ("cores", f"{os.cpu_count()}, {threads} threads used"),
        ("memory", f"{int(memory) / 2**20:.0f} GiB" if memory else ""),
        ("system", f"{distribution}, Linux {platform.release()}, glibc {platform.libc_ver()[1]}"),
        ("compiler", (output_of(compiler, "--version").splitlines() or [""])[0]),
        ("Cadena", output_of("git", "-C", str(ROOT), "describe", "--always", "--tags", "--dirty")),
    ]
    for package, name in (("libtorch-dev", "libtorch"), ("libopenblas0-openmp", "OpenBLAS"),
                          ("libdnnl-dev", "oneDNN"), ("libtbb-dev", "oneTBB")):
        facts.append((name, output_of("dpkg-query", "-W", "-f", "${Version}", package)))
    return [(what, which) for what, which in facts if which]


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


INTRODUCTION = """\
# Performance

What Cadena costs beside libtorch, and beside what the machine could do. This page is written by
the command below; edit `scripts/bench.py` instead.

The same work is written for both libraries, in [bench/works.cpp](../bench/works.cpp) and
[bench/peer/libtorch.cpp](../bench/peer/libtorch.cpp), with their ordinary interfaces, from the same
numbers; `./scripts/bench.sh --check` compares what comes out. Each figure is the median of the
rounds, and a round's the median of its steps. Each round of a row is a process of its own, and the
rounds of Cadena, libtorch and the limits take turns.

- *ratio*: libtorch's figure divided by Cadena's. Above 1 Cadena is ahead.
- *of the limit*: the limit's time divided by Cadena's; 1 is the limit. The limits are measured in
  the same run by the loops of [bench/limits.cpp](../bench/limits.cpp):
  - product: the row's matrix products alone, each by the fastest arrangement of oneDNN's `sgemm`
    on the threads (small products: by a loop made for their size);
  - stream: a loop that reads and writes the same arrays, once, with additions only;
  - compute: the same arithmetic, fused by hand into one vectorised parallel loop;
  - overhead: the work is too small for a limit to be told.
- *after 1 ms of rest*: a step whose threads have gone to sleep before, as between batches that take
  time to load. Its limit is the one in a loop.
- *peak memory*: what the process held at most, above what it held before the row began (its code
  and libraries).

libtorch gets what is known to make it fast: OpenMP's OpenBLAS, gradients dropped instead of filled
with zeros, and its fastest choice, row by row, of BLAS, flush-to-zero, and the thresholds from which
glibc's `malloc` returns memory to the system (fresh pages cost more than many a kernel).
"""


def page(found, facts, command):
    remarks = [f"- {row.title}: {row.remark}" for row in ROWS if row.remark]
    parts = [
        INTRODUCTION,
        "## The figures\n",
        f"Measured on {datetime.date.today().isoformat()} by\n\n```sh\n{command}\n```\n",
        table(found) + "\n",
    ]
    if remarks:
        parts += ["## Remarks\n", "\n".join(remarks) + "\n"]
    parts += ["## The machine\n", "| | |\n| --- | --- |\n"
              + "\n".join(f"| {what} | {which} |" for what, which in facts) + "\n"]
    return "\n".join(parts)


# The command


def arguments(words):
    parser = argparse.ArgumentParser(
        prog="bench.sh", description="Compares Cadena with libtorch and prints a Markdown table; "
        "what it does meanwhile goes to standard error.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="rounds to take the median of (default 5)")
    parser.add_argument("--rows", default="", metavar="REGEX",
                        help="only rows whose name has this in it")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE",
                        help="also write the table as one JSON object a line")
    parser.add_argument("--write-docs", action="store_true",
                        help="also write docs/performance.md; needs all rows")
    parser.add_argument("--check", action="store_true",
                        help="instead of measuring, compare what both compute")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and end")
    parser.add_argument("--threads", type=int, default=2, metavar="N",
                        help="threads of both (default 2)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S",
                        help="to repeat a step for in each round (default 0.5)")
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
    if options.check:
        return 0 if bench.check(options.chosen, choices[0]) else 1

    others = busy()
    if others > 0.2:
        say(f"warning: other processes use {others:.1f} of {os.cpu_count()} cores; measure at a "
            "quiet moment")
    found = bench.measure(options.chosen, options.rounds, choices)
    print(table(found))
    if options.json:
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in found]
        options.json.write_text("".join(lines), encoding="utf-8")
        say(f"written: {options.json}")
    if options.write_docs:
        command = shlex.join(["./scripts/bench.sh", *words])
        PAGE.write_text(page(found, machine(options.build, options.threads), command),
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
        sys.exit(130)
