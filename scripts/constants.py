#!/usr/bin/env python3
"""Which constants of gradcheck does no test hold in place? Each is made four times as large and as small.

    python3 scripts/constants.py                  # every constant; builds once, takes some 20 minutes
    python3 scripts/constants.py FLAT law          # those whose names contain one of these

In a copy of the crate every `const NAME: f64` of src/gradcheck, and every number in the formulas of the
judge, becomes a function that reads a factor from the environment. The tests are built once; a
constant is held where one of them fails at four times its value and one at a quarter. A test that fails
with every factor at 1 stops the script.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The quick ones first: the first that fails settles a constant.
TESTS = [
    "gradcheck_authors", "gradcheck_inputs", "gradcheck_second_order", "gradcheck_numeric", "gradcheck_large",
    "gradcheck_truth", "gradcheck_gpt", "audit_record", "gradcheck_models", "gradcheck_faults",
]  # fmt: skip
FORMULAS = ["judge/law.rs", "judge/tolerance.rs", "second.rs", "compare/alone.rs", "compare/fast.rs", "model/joint.rs"]
NAMED = re.compile(r"^(\s*)(pub\(crate\) )?const ([A-Z_]+): f64 = ([^;]+);", re.M)
NUMBER = re.compile(r"(?<![\w.\[])(\d+e-?\d+|\d+\.\d*(?:e-?\d+)?)(?![\w.(\]]|f64|f32)")
PIN = """
/// value, times the factor that the environment gives it
#[allow(missing_docs)]
pub fn pin(name: &str, value: f64) -> f64 {
    static FACTOR: std::sync::LazyLock<Option<(String, f64)>> = std::sync::LazyLock::new(|| {
        let (name, factor) = std::env::var("PIN").ok()?.split_once('=').map(|(n, f)| (n.to_string(), f.to_string()))?;
        Some((name, factor.parse().ok()?))
    });
    match &*FACTOR {
        Some((pinned, factor)) if pinned == name => value * factor,
        _ => value,
    }
}
"""


def code_only(line):
    return "//" not in line.split('"')[0] and not line.lstrip().startswith("//")


def rewrite(folder):
    """Every constant behind `pin`; gives back the names."""
    source, names = folder / "src/gradcheck", []
    files = {p: p.read_text() for p in source.rglob("*.rs")}
    for path, text in files.items():
        for found in NAMED.finditer(text):
            names.append(found[3])
    for path, text in files.items():
        tests = text.find("#[cfg(test)]")
        text, rest = (text, "") if tests < 0 else (text[:tests], text[tests:])
        lines = []
        for number, line in enumerate(text.split("\n"), 1):
            if code_only(line) and not line.lstrip().startswith("use ") and not NAMED.match(line):
                relative = path.relative_to(source).as_posix()
                if relative in FORMULAS and "const " not in line and not line.lstrip().startswith("mod "):
                    line, more = formula(line, f"{relative}:{number}")
                    names.extend(more)
            lines.append(line)
        text = "\n".join(lines)
        text = NAMED.sub(
            r'\1#[allow(non_snake_case)] \2fn \3() -> f64 { crate::gradcheck::support::values::pin("\3", \4) }', text
        )
        for name in sorted({n for n in names if n.isupper()}, key=len, reverse=True):
            text = called(text, name)
        path.write_text(text + rest)
    values = source / "support/values.rs"
    values.write_text(values.read_text() + PIN)
    return list(dict.fromkeys(names))


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


def formula(line, place):
    names = []

    def pinned(found):
        value = float(found[1])
        if value in (0.0, 0.5, 1.0, 2.0):
            return found[0]
        name = f"{place}:{found[1]}"
        names.append(name)
        return f'crate::gradcheck::support::values::pin("{name}", {found[1]})'

    return NUMBER.sub(pinned, line), names


def build(folder, tests):
    command = ["cargo", "test", "--release", "--no-run", "--message-format=short"]
    for test in tests:
        command += ["--test", test]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return {name: folder / path for path, name in re.findall(r"\((\S*deps/(\w+)-[0-9a-f]+)\)", done.stderr)}


def passes(folder, binary, pin):
    env = dict(os.environ, **({"PIN": pin} if pin else {}))
    env.setdefault("CARGO_MANIFEST_DIR", str(folder))
    try:
        done = subprocess.run([binary, "-q"], cwd=folder, env=env, capture_output=True, timeout=600)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main():
    if sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(os.environ.get("CONSTANTS_COPY", folder))
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
        for name in filter(None, listed):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        names = rewrite(folder)
        tests = [t for t in TESTS if (folder / f"tests/{t}.rs").exists() or (folder / f"tests/{t}").exists()]
        binaries = build(folder, tests)
        order = [binaries[t] for t in tests]
        for binary in order:
            if not passes(folder, binary, None):
                sys.exit(f"{binary} fails as it is")
        loose = 0
        print(f"| constant | times 4: the first test that fails | times 1/4 |\n|---|---|---|", flush=True)
        for name in names:
            if wanted and not any(w in name for w in wanted):
                continue
            said = []
            for factor in (4, 0.25):
                failed = next((t for t in tests if not passes(folder, binaries[t], f"{name}={factor}")), None)
                said.append(failed or "none")
                loose += failed is None
            print(f"| {name} | {said[0]} | {said[1]} |", flush=True)
        print(f"\n{loose} of {2 * len(names)} changes that no test notices")


if __name__ == "__main__":
    main()
