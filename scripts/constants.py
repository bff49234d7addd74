#!/usr/bin/env python3
"""Which constants of gradcheck does no test hold in place? Each is made four times as large and as small.

    python3 scripts/constants.py                  # every constant
    python3 scripts/constants.py FLAT law          # those whose names contain one of these

In a copy of the crate every `const NAME: f64` of src/gradcheck, and every number in the formulas of the
judge, gets the switch of mutants.py, which this takes its machinery from. The tests are built once; a
constant is held where one of them fails at four times its value and one at a quarter.
"""

import os
import pathlib
import re
import sys
import tempfile

import mutants

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = [
    "gradcheck_authors", "gradcheck_inputs", "gradcheck_second_order", "gradcheck_numeric", "gradcheck_large",
    "gradcheck_truth", "gradcheck_gpt", "audit", "gradcheck_models", "gradcheck_faults",
]  # fmt: skip
FORMULAS = ["judge/law.rs", "judge/tolerance.rs", "second.rs", "compare/alone.rs", "compare/fast.rs", "model/joint.rs"]
NAMED = re.compile(r"^(\s*)(pub\(crate\) )?const ([A-Z_]+): f64 = ([^;]+);", re.M)
NUMBER = re.compile(r"(?<![\w.\[])(\d+e-?\d+|\d+\.\d*(?:e-?\d+)?)(?![\w.(\]]|f64|f32)")
def code_only(line):
    return "//" not in line.split('"')[0] and not line.lstrip().startswith("//")


def pin(names, name, value):
    """The value behind a switch: 2k + 1 makes the k-th of the names four times as large, 2k + 2 as small."""
    large = 2 * names.index(name) + 1
    small = large + 1
    return (
        f"match crate::mutants::active(&[{large}, {small}]) "
        f"{{ {large} => 4. * ({value}), {small} => 0.25 * ({value}), _ => {value} }}"
    )


def rewrite(folder):
    """Every constant behind a switch; gives back the names."""
    source, names = folder / "src/gradcheck", []
    files = {p: p.read_text() for p in source.rglob("*.rs")}
    for path, text in files.items():
        for found in NAMED.finditer(text):
            if found[3] not in names:
                names.append(found[3])
    for path, text in files.items():
        tests = text.find("#[cfg(test)]")
        text, rest = (text, "") if tests < 0 else (text[:tests], text[tests:])
        lines = []
        for number, line in enumerate(text.split("\n"), 1):
            if code_only(line) and not line.lstrip().startswith("use ") and not NAMED.match(line):
                relative = path.relative_to(source).as_posix()
                if relative in FORMULAS and "const " not in line and not line.lstrip().startswith("mod "):
                    line = formula(line, f"{relative}:{number}", names)
            lines.append(line)
        text = "\n".join(lines)
        behind = lambda m: f"{m[1]}#[allow(non_snake_case)] {m[2] or ''}fn {m[3]}() -> f64 {{ {pin(names, m[3], m[4])} }}"
        text = NAMED.sub(behind, text)
        for name in sorted({n for n in names if n.isupper()}, key=len, reverse=True):
            text = called(text, name)
        path.write_text(text + rest)
    return names


def called(text, name):
    """NAME to NAME(), but in its own definition, in imports and in comments."""
    out, importing = [], False
    for line in text.split("\n"):
        importing = importing or line.lstrip().startswith("use ")
        if not importing and code_only(line) and f"fn {name}()" not in line:
            line = re.sub(rf"(?<![\w\"]){name}(?![\w\"(])", f"{name}()", line)
        if ";" in line:
            importing = False
        out.append(line)
    return "\n".join(out)


def formula(line, place, names):
    def pinned(found):
        if float(found[1]) in (0.0, 0.5, 1.0, 2.0):
            return found[0]
        name = f"{place}:{found[1]}"
        if name not in names:
            names.append(name)
        return "(" + pin(names, name, found[1]) + ")"

    return NUMBER.sub(pinned, line)


class Change:
    """What mutants.caught_by asks of a mutant."""

    def __init__(self, number):
        self.number = number


def main():
    if sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(os.environ.get("CONSTANTS_COPY", scratch)).resolve()
        mutants.copy(folder)
        names = rewrite(folder)
        binaries = mutants.build(folder, [argument for test in TESTS for argument in ("--test", test)])
        took, reached = mutants.reach(folder, binaries)
        loose = tried = 0
        print("| constant | times 4: the first test that fails | times 1/4 |\n|---|---|---|", flush=True)
        for k, name in enumerate(names):
            if wanted and not any(w in name for w in wanted):
                continue
            said = []
            for number in (2 * k + 1, 2 * k + 2):
                by = mutants.caught_by(folder, binaries, took, reached, Change(number))
                said.append(by or "none")
                loose, tried = loose + (by is None), tried + 1
            print(f"| {name} | {said[0]} | {said[1]} |", flush=True)
        print(f"\n{loose} of {tried} changes that no test notices")


if __name__ == "__main__":
    main()
