"""What bench.py measured: records, the table, and docs/performance.md."""

import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCALES = {"µs": 1e6, "ms": 1e3, "bytes": 1}  # of the programs' seconds or bytes


# Results


def median(results, side, field):
    return statistics.median(result[side][field] for result in results)


def records(row, results):
    """A record of the row in a loop and, for a step, one of it after a rest; none without results.

    Of the peer's arrangements each takes the one that is fastest in it.
    """
    if not results:
        return []
    scale = SCALES[row.unit]
    limit = median(results, "limit", "figure") if results[0]["limit"] else None
    found = []
    for field, suffix, words in (("figure", "", ""), ("rested", "_rested", ", after 1 ms of rest")):
        if field == "rested" and not row.rest:
            continue
        ours = median(results, "ours", field)
        compiled = median(results, "compiled", field) if row.compiled else None
        peers = {name: statistics.median(result["peer"][name][field] for result in results)
                 for name in results[0]["peer"]}
        best = min(peers, key=peers.get) if peers else None
        found.append({
            "name": row.name + suffix,
            "title": row.title + words,
            "ours": ours * scale,
            "peer": peers[best] * scale if best else None,
            "ratio": peers[best] / ours if best else None,
            "compiled": compiled * scale if compiled else None,
            "compiled_ratio": peers[best] / compiled if best and compiled else None,
            "unit": row.unit,
            "kind": f"{row.kind}-bound",
            "limit": limit * scale if limit else None,
            "fraction_of_limit": limit / ours if limit else None,
            "compiled_fraction_of_limit": limit / compiled if limit and compiled else None,
            "peak_memory_ours": median(results, "ours", "memory"),
            "peak_memory_compiled": median(results, "compiled", "memory") if compiled else None,
            "peak_memory_peer": statistics.median(result["peer"][best]["memory"]
                                                  for result in results) if best else None,
            "arrangement": best,
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
    with_peer = any(record["peer"] is not None for record in found)
    letters = {}

    def pair(record, field, form):
        """The figure of an eager step and that of a compiled one, where there is one."""
        eager, compiled = record[field[0]], record[field[1]]
        return " / ".join("-" if value is None else form(value)
                          for value in ((eager, compiled) if record["compiled"] else (eager,)))

    def cells(record):
        ours = [record["title"], pair(record, ("ours", "compiled"), significant) + " "
                + record["unit"]]
        rest = [record["kind"].removesuffix("-bound"),
                pair(record, ("fraction_of_limit", "compiled_fraction_of_limit"), "{:.2f}".format)]
        memory = pair(record, ("peak_memory_ours", "peak_memory_compiled"),
                      lambda value: f"{value / 1e6:.0f}")
        if not with_peer:
            return ours + rest + [memory]
        letter = letters.setdefault(record["arrangement"], chr(ord("A") + len(letters)))
        return (ours + [show(record["peer"], record["unit"]),
                        pair(record, ("ratio", "compiled_ratio"), significant)] + rest
                + [memory, f"{record['peak_memory_peer'] / 1e6:.0f}", letter])

    if with_peer:
        lines = ["| | Cadena | libtorch | ratio | bound by | of the limit | peak memory, MB | "
                 "libtorch's | |",
                 "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |"]
    else:
        lines = ["| | Cadena | bound by | of the limit | peak memory, MB |",
                 "| --- | ---: | --- | ---: | ---: |"]
    lines += ["| " + " | ".join(cells(record)) + " |" for record in found]
    if with_peer:
        lines += ["", "libtorch's fastest arrangement, row by row:", ""]
        lines += [f"- {letter}: {name}" for name, letter in letters.items()]
    else:
        lines += ["", "libtorch is not installed: its columns are left out."]
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


INTRODUCTION = """\
# Performance

What Cadena costs beside libtorch, and beside what the machine could do. This page is written by
the command below; edit `scripts/bench_page.py` instead.

The same work is written for both libraries, in [bench/works.cpp](../bench/works.cpp) and
[bench/peer/libtorch.cpp](../bench/peer/libtorch.cpp), with their ordinary interfaces, from the same
numbers; `./scripts/bench.sh --check` compares what comes out. Each figure is the median of the
rounds, and a round's the median of its steps. Each round of a row is a process of its own, and the
rounds of Cadena, libtorch and the limits take turns.

- Where there are two figures, the first is that of the step as it is, operator by operator, and the
  second that of the step compiled ([compile.md](compile.md)).
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

libtorch gets what is known to make it fast: a model of layers and functions, OpenMP's OpenBLAS,
gradients dropped instead of filled with zeros, and its fastest arrangement, row by row, of BLAS,
flush-to-zero, threads that wait actively, and the thresholds from which glibc's `malloc` returns
memory to the system (fresh pages cost more than many a kernel). A first look at all arrangements
finds the two fastest, in a loop and after a rest; these are measured in every round, and the one
with the smaller median counts. Cadena is measured as it is.
"""


def page(found, rows, facts, command):
    remarks = [f"- {row.title}: {row.remark}" for row in rows if row.remark]
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
