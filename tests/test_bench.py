#!/usr/bin/env python3
"""Tests scripts/bench.py with programs that only pretend to measure."""

import contextlib
import io
import json
import os
import pathlib
import stat
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
import bench  # noqa: E402

# Notes each call, and takes the figure from a list that holds one for each call.
PROGRAM = """#!/usr/bin/env python3
import json, os, pathlib, sys
here, words = pathlib.Path(__file__), sys.argv[1:]
if "--list" in words:
    print("cross_entropy")
    sys.exit()
with open(here.parent / "calls", "a") as calls:
    print("compiled" if "--compiled" in words else here.name, words[-1],
          os.environ.get("OMP_WAIT_POLICY", ""), file=calls)
if "--check" in words:
    print(json.dumps({"name": words[-1], "check": [[1.0, 2.0], [%(value)s, 5.0]]}))
    sys.exit()
if "--compiled" in words:
    print(json.dumps({"name": words[-1], "figure": 0.0005, "rested": 0.0005, "memory": 2e6}))
    sys.exit()
done = here.with_suffix(".done")
count = len(done.read_text()) if done.exists() else 0
done.write_text("x" * (count + 1))
figures = %(figures)s
figure = figures[count %% len(figures)]
if %(tuned)s and "mmap_threshold" not in os.environ.get("GLIBC_TUNABLES", ""):
    figure *= 4
rested = 2 * figure
if %(tuned)s and os.environ.get("OMP_WAIT_POLICY") == "active":
    figure, rested = 1.5 * figure, 0.5 * rested
print(json.dumps({"name": words[-1], "figure": figure, "memory": 3e6,
                  **({"rested": rested} if "--rest" in words else {})}))
"""


class BenchTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.replace("busy", lambda: 2.0)

    def replace(self, name, value):
        patch = unittest.mock.patch.object(bench, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def program(self, name, figures, tuned=False, value="4.0"):
        path = self.directory / name
        path.write_text(PROGRAM % {"figures": figures, "tuned": tuned, "value": value})
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def programs(self, **peer):
        return bench.Programs(self.program("ours", [0.003, 0.001, 0.002]),
                              self.program("peer", [0.004], **peer),
                              self.program("limits", [0.001]))

    def calls(self):
        return [line.split()[0] for line in (self.directory / "calls").read_text().splitlines()]

    def main(self, *words, programs=None):
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = bench.main(list(words), build=lambda _: programs or self.programs(tuned=True))
        return status, output.getvalue(), errors.getvalue()

    def test_rounds_take_turns_and_medians_are_taken(self):
        file = self.directory / "table.json"
        status, output, errors = self.main("--rows", "^cross", "--rounds", "3", "--json", str(file))
        self.assertEqual(status, 0)
        self.assertIn("other processes use 2.0", errors)
        calls = self.calls()
        self.assertEqual(calls[-21:], ["ours", "compiled", *["peer"] * 4, "limits"] * 3)
        self.assertEqual(set(calls[:-21]), {"peer"})  # its arrangements were tried before

        loop, rested = map(json.loads, file.read_text().splitlines())
        self.assertEqual(loop["name"], "cross_entropy")
        self.assertEqual(rested["name"], "cross_entropy_rested")
        self.assertNotIn("actively", loop["arrangement"])
        self.assertIn("actively", rested["arrangement"])  # each has the one that is best for it
        for record, ours in ((loop, 2.0), (rested, 4.0)):
            self.assertAlmostEqual(record["ours"], ours)
            self.assertAlmostEqual(record["peer"], 4.0)
            self.assertAlmostEqual(record["ratio"], 4.0 / ours)
            self.assertAlmostEqual(record["fraction_of_limit"], 1.0 / ours)
            self.assertAlmostEqual(record["compiled"], 0.5)
            self.assertAlmostEqual(record["compiled_ratio"], 8.0)
            self.assertAlmostEqual(record["compiled_fraction_of_limit"], 2.0)
            self.assertEqual(record["peak_memory_compiled"], 2e6)
            self.assertEqual((record["unit"], record["kind"]), ("ms", "compute-bound"))
            self.assertEqual((record["peak_memory_ours"], record["peak_memory_peer"]), (3e6, 3e6))
            self.assertIn("large mmap threshold", record["arrangement"])
        self.assertIn("| 2.00 / 0.50 ms | 4.00 ms | 2.00 / 8.00 | compute | 0.50 / 2.00 | 3 / 2 | 3 | A |", output)
        self.assertIn(f"- A: {loop['arrangement']}", output)

    def test_without_libtorch_its_columns_are_left_out(self):
        file = self.directory / "table.json"
        programs = self.programs()
        programs.peer = None
        status, output, _ = self.main("--rows", "^cross", "--rounds", "1", "--json", str(file),
                                      programs=programs)
        self.assertEqual(status, 0)
        self.assertEqual(self.calls(), ["ours", "compiled", "limits"])
        self.assertIn("| 3.00 / 0.50 ms | compute | 0.33 / 2.00 | 3 / 2 |", output)
        self.assertIn("libtorch is not installed", output)
        self.assertIsNone(json.loads(file.read_text().splitlines()[0])["ratio"])
        for option in ("--check", "--write-docs"):
            with self.assertRaisesRegex(bench.Problem, f"{option} needs libtorch"):
                self.main(option, programs=programs)

    def test_what_was_measured_before_an_interruption_is_kept(self):
        file = self.directory / "table.json"
        programs = self.programs()
        programs.peer = None  # quicker
        real, count = bench.Bench.round, 0

        def interrupted(*arguments):
            nonlocal count
            count += 1
            if count == 4:
                raise KeyboardInterrupt
            return real(*arguments)

        with unittest.mock.patch.object(bench.Bench, "round", interrupted):
            with self.assertRaises(KeyboardInterrupt):
                self.main("--rows", "^sum_axis_[01]", "--json", str(file), programs=programs)
        records = [json.loads(line) for line in file.read_text().splitlines()]
        self.assertEqual([(record["name"], record["rounds"]) for record in records],
                         [("sum_axis_0", 2), ("sum_axis_1", 1)])

    def test_listing_installs_and_builds_nothing(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(bench.main(["--list", "--rows", "sum"], build=None), 0)
        self.assertEqual(output.getvalue().split(),
                         ["sum_axis_0", "sum_axis_1", "sum_axis_2", "sum_all"])

    def test_a_row_bound_by_overhead_has_no_limit(self):
        file = self.directory / "table.json"
        self.main("--rows", "scalar", "--rounds", "1", "--json", str(file))
        self.assertNotIn("limits", self.calls())
        record = json.loads(file.read_text())
        self.assertIsNone(record["limit"])
        self.assertIsNone(record["fraction_of_limit"])
        self.assertAlmostEqual(record["ours"], 3000)  # µs

    def test_every_arrangement_is_tried(self):
        blas = {"openblas-openmp": "/fast", "reference BLAS": "/slow"}
        choices = bench.arrangements(blas)
        self.assertEqual(len({choice.name for choice in choices}), len(choices))
        self.assertEqual(choices[0].environment["LD_LIBRARY_PATH"], "/fast")
        self.assertEqual({choice.environment["LD_LIBRARY_PATH"] for choice in choices},
                         {"/fast", "/slow"})
        self.assertEqual({choice.options for choice in choices}, {(), ("--keep-denormals",)})
        self.assertTrue(any("GLIBC_TUNABLES" not in choice.environment for choice in choices))
        self.assertTrue(any("OMP_WAIT_POLICY" in choice.environment for choice in choices))
        self.assertNotIn("LD_LIBRARY_PATH", bench.arrangements({})[0].environment)

    def test_check_tells_what_differs(self):
        same = self.programs()
        self.assertEqual(self.main("--check", "--rows", "sum", programs=same)[0], 0)
        other = self.programs(value="4.1")
        status, output, _ = self.main("--check", "--rows", "sum_all", programs=other)
        self.assertEqual(status, 1)
        self.assertIn("sum_all: DIFFERS by 2.0e-02", output)
        self.assertEqual(bench.compare([[1, 1]], []), float("inf"))
        self.assertEqual(bench.compare([[float("nan"), 1]], [[1, 1]]), float("inf"))
        self.assertEqual(bench.compare([[0, 0]], [[0, 0]]), 0)

    def test_the_page_has_table_machine_and_command(self):
        page = self.directory / "performance.md"
        self.replace("PAGE", page)
        self.replace("ROWS", bench.ROWS[:2])
        self.main("--write-docs", "--rounds", "1")
        text = page.read_text()
        self.assertIn("./scripts/bench.sh --write-docs --rounds 1", text)
        self.assertIn("| cores |", text)
        for row in bench.ROWS:
            self.assertIn(f"| {row.title} |", text)

    def test_mistakes_are_told(self):
        for words in (["--rows", "("], ["--rows", "no_such_row"], ["--rounds", "0"],
                      ["--write-docs", "--rows", "sum"], ["--json", "/no/such/directory/file"]):
            with self.assertRaises(SystemExit) as ended:
                self.main(*words)
            self.assertEqual(ended.exception.code, 2, words)
        failing = self.directory / "failing"
        failing.write_text("#!/bin/sh\necho out of memory >&2\nexit 3\n")
        failing.chmod(0o755)
        with self.assertRaisesRegex(bench.Problem, "status 3\nout of memory"):
            bench.run(failing, ["sum_all"])


if __name__ == "__main__":
    os.environ.pop("GLIBC_TUNABLES", None)
    unittest.main()
