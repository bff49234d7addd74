#!/usr/bin/env python3
"""How strong are the tests? Mutants of src/sine, src/pytorch and src/gradcheck, and which of them no test catches.

    python3 scripts/mutants.py                     # a sample of 200, seed 1
    python3 scripts/mutants.py --sample 500 --seed 2 --under src/gradcheck/judge
    python3 scripts/mutants.py --only names.txt    # those named in a file, as this prints them

Needs cargo-mutants (27.1 was used), which says what the mutants are, and tree-sitter with
tree-sitter-rust, which find them in the source. To build the crate once for every mutant would take
days, so all of a sample go into one build of a copy of the crate, each behind a switch:

    a - b    becomes    (match mutants::active(&[17]) { 17 => (a + b), _ => (a - b) })

The tests run once as they are, which notes the mutants that each test binary reaches; then once for
each mutant, the quick binaries first, until one fails. The last line counts what was caught. A mutant
that does not compile, or that the switch cannot express, does not count.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import tree_sitter
import tree_sitter_rust

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNDER = ["src/sine", "src/pytorch", "src/gradcheck"]
# These need a browser, or hold pages against pages.
SKIPPED = {"guide_browser", "guide", "readme", "architecture", "tutorial", "animation"}
SWITCH = """
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod mutants {
    use std::sync::{LazyLock, atomic::{AtomicBool, Ordering::Relaxed}};
    static ACTIVE: LazyLock<u32> = LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|m| m.parse().ok()).unwrap_or(0));
    static RECORD: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| std::env::var_os("MUTANTS_REACHED").map(Into::into));
    static SEEN: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];
    #[inline]
    pub fn active(ids: &[u32]) -> u32 {
        if let Some(path) = &*RECORD {
            reached(path, ids);
        }
        if ids.contains(&*ACTIVE) { *ACTIVE } else { 0 }
    }
    #[cold]
    fn reached(path: &std::path::Path, ids: &[u32]) {
        for id in ids {
            if !SEEN[*id as usize].swap(true, Relaxed) {
                use std::io::Write;
                let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
                let _ = file.and_then(|mut file| file.write_all(format!("{id}\\n").as_bytes()));
            }
        }
    }
}
"""


class Mutant:
    def __init__(self, number, found):
        self.number, self.name, self.file = number, found["name"], found["file"]
        self.genre, self.replacement = found["genre"], found["replacement"]
        self.start = (found["span"]["start"]["line"] - 1, found["span"]["start"]["column"] - 1)


# Compiled for a card alone; its tests are those of tests/device.rs.
ON_A_CARD = "src/sine/gradient/fused/cuda.rs"


def listed(under):
    command = ["cargo", "mutants", "--list", "--json"]
    for folder in under:
        command += ["-f", folder if folder.endswith(".rs") else f"{folder}/**"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [mutant for mutant in json.loads(found) if mutant["file"] != ON_A_CARD]


# ---- the source with its switches


def climb(node, kinds):
    while node is not None and node.type not in kinds:
        node = node.parent
    return node


def fixed(node):
    """Whether the compiler evaluates this itself, or it is no expression."""
    inner = None
    while node is not None:
        if node.type in ("const_item", "static_item", "array_type", "attribute_item", "token_tree", "const_block"):
            return True
        condition = node.child_by_field_name("condition") if node.type == "match_pattern" else None
        if (node.type == "match_pattern" and (condition is None or condition.id != inner)) or (node.type == "function_item" and b"const fn" in node.text.split(b"{")[0]):
            return True
        inner, node = node.id, node.parent
    return False


class Source:
    """One file: which node each mutant belongs to, and the text with all of them in it."""

    def __init__(self, text, mutants):
        self.bytes = text.encode()
        self.tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language())).parse(self.bytes)
        self.at = collections.defaultdict(list)
        for mutant in mutants:
            node = self.node(mutant)
            if node is not None:
                self.at[node.id].append(mutant)

    def node(self, mutant):
        leaf = self.tree.root_node.descendant_for_point_range(mutant.start, mutant.start)
        kinds = {
            "BinaryOperator": ("binary_expression", "compound_assignment_expr"),
            "UnaryOperator": ("unary_expression",),
            "FnValue": ("function_item",),
            "MatchArm": ("match_arm",),
            "MatchArmGuard": ("match_pattern",),
        }.get(mutant.genre, ())
        node = climb(leaf, kinds)
        if node is None or fixed(node.parent if mutant.genre == "MatchArmGuard" else node):
            return None
        if mutant.genre in ("MatchArm", "MatchArmGuard") and b"let " in (node.child_by_field_name("condition") or leaf).text:
            return None
        return node

    def text(self):
        return self.emit(self.tree.root_node).decode()

    def emit(self, node):
        mutants = self.at.get(node.id, ())
        plain = self.children(node)
        if not mutants:
            return plain
        ids = ", ".join(str(m.number) for m in mutants).encode()
        switch = b"crate::mutants::active(&[" + ids + b"])"
        if node.type == "function_item":
            body = node.child_by_field_name("body")
            head, body = self.bytes[node.start_byte : body.start_byte], self.emit(body)[1:]
            cases = b"".join(b" %d => return %s," % (m.number, m.replacement.encode()) for m in mutants)
            return head + b"{ match " + switch + b" {" + cases + b" _ => {} }" + body
        if node.type == "match_arm":
            pattern = node.child_by_field_name("pattern")
            condition = pattern.child_by_field_name("condition")
            rest = self.between(pattern.end_byte, node)
            guard = b" && (" + self.emit(condition) + b")" if condition else b""
            bare = self.bytes[pattern.start_byte : (condition.start_byte if condition else pattern.end_byte)]
            bare = re.sub(rb"\bif\s*$", b"", bare)
            return bare + b" if " + switch + b" == 0" + guard + b" " + rest
        if node.type == "match_pattern":
            condition = node.child_by_field_name("condition")
            cases = b"".join(b" %d => %s," % (m.number, m.replacement.encode()) for m in mutants)
            head = self.bytes[node.start_byte : condition.start_byte]
            return head + b"match " + switch + b" {" + cases + b" _ => (" + self.emit(condition) + b") }"
        if node.type == "unary_expression":
            operand = self.emit(node.children[-1])
            cases = b"".join(b" %d => (%s)," % (m.number, operand) for m in mutants)
        else:
            left, right = (self.emit(node.child_by_field_name(side)) for side in ("left", "right"))
            cases = b"".join(b" %d => (%s %s %s)," % (m.number, left, m.replacement.encode(), right) for m in mutants)
        whole = b"match " + switch + b" {" + cases + b" _ => (" + plain + b") }"
        return b"{ " + whole + b" }" if node.type == "compound_assignment_expr" else b"(" + whole + b")"

    def children(self, node):
        out, at = [], node.start_byte
        for child in node.children:
            out += [self.bytes[at : child.start_byte], self.emit(child)]
            at = child.end_byte
        return b"".join(out) + self.bytes[at : node.end_byte]

    def between(self, start, node):
        out, at = [], start
        for child in node.children:
            if child.start_byte >= start:
                out += [self.bytes[at : child.start_byte], self.emit(child)]
                at = child.end_byte
        return b"".join(out) + self.bytes[at : node.end_byte]


def copy(folder):
    """The crate with the switch, which is off."""
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in found.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    with open(folder / "src/lib.rs", "a") as lib:
        lib.write(SWITCH)


def write(folder, mutants):
    """The copy's sources with these mutants; gives back those that are in them."""
    files, inside = collections.defaultdict(list), []
    for mutant in mutants:
        files[mutant.file].append(mutant)
    for path in {m["file"] for m in EVERY}:
        text = (ROOT / path).read_text()
        source = Source(text, files.get(path, []))
        inside += [m for group in source.at.values() for m in group]
        new = source.text() if files.get(path) else text
        if (folder / path).read_text() != new:
            (folder / path).write_text(new)
    return inside


def viable(folder, mutants):
    """Takes out what does not compile, until the rest does."""
    while True:
        inside = write(folder, mutants)
        command = ["cargo", "check", "--release", "--lib", "--message-format=json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode == 0:
            return inside
        guilty = set()
        for line in done.stdout.splitlines():
            message = json.loads(line).get("message") or {}
            if message.get("level") == "error":
                for span in spans(message):
                    guilty |= mentioned(folder, span, {m.number for m in inside})
        if not guilty:
            sys.exit("the copy does not compile:\n" + done.stderr[-3000:])
        mutants = [m for m in inside if m.number not in guilty]
        print(f"{len(guilty)} do not compile", file=sys.stderr)


def spans(message):
    for span in message["spans"] + [s for c in message["children"] for s in c["spans"]]:
        while span.get("expansion"):
            span = span["expansion"]["span"]
        yield span


def mentioned(folder, span, inside):
    """The mutants of the lines that an error points at; else those of the function around them."""
    path = folder / span["file_name"]
    if not path.exists() or folder not in path.resolve().parents:
        return set()
    lines = path.read_text().split("\n")
    numbers = lambda text: {int(n) for ids in re.findall(r"active\(&\[([\d, ]+)\]\)", text) for n in ids.split(",")}
    here = "\n".join(lines[span["line_start"] - 1 : span["line_end"]])
    text = here[: span["column_start"] - 1] if span["line_start"] == span["line_end"] else here
    arms = {int(n) for n in re.findall(r"(\d+) => (?:return|\()", here[max(0, span["column_start"] - 40) : span["column_end"]])}
    return (arms & inside) or (numbers(here) & inside) or (numbers("\n".join(lines[max(0, span["line_start"] - 30) : span["line_end"]])) & inside)


# ---- the tests


def build(folder, targets):
    command = ["cargo", "test", "--release", "--no-run", "--message-format=json", *targets]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
    if done.returncode:
        sys.exit("the tests of the copy do not compile")
    binaries = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["profile"]["test"] and message["target"]["name"] not in SKIPPED:
            binaries[message["target"]["name"] + (" (unit)" if message["target"]["kind"] == ["lib"] else "")] = message["executable"]
    return binaries


def passes(folder, binary, limit, **env):
    env = dict(os.environ, CARGO_MANIFEST_DIR=str(folder), **env)
    with tempfile.TemporaryFile() as out:
        run = subprocess.Popen([binary, "-q"], cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            return run.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(run.pid, 9)
            except ProcessLookupError:
                pass


def reach(folder, binaries):
    """For each binary how long it takes, and what it reaches."""
    took, reached = {}, {}
    for name, binary in binaries.items():
        with tempfile.NamedTemporaryFile() as record:
            start = time.monotonic()
            if not passes(folder, binary, 1200, MUTANTS_REACHED=record.name):
                print(f"{name} fails as it is, and is left out", file=sys.stderr)
                continue
            took[name] = time.monotonic() - start
            reached[name] = {int(line) for line in pathlib.Path(record.name).read_text().split()}
        print(f"{name}: {took[name]:.0f} s, reaches {len(reached[name])}", file=sys.stderr)
    return took, reached


def caught_by(folder, binaries, took, reached, mutant):
    for name in sorted(took, key=took.get):
        if mutant.number in reached[name] and not passes(folder, binaries[name], 5 * took[name] + 20, MUTANT=str(mutant.number)):
            return name
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--under", nargs="+", default=UNDER)
    parser.add_argument("--only", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--longest", type=float, help="leaves out test binaries that take more seconds")
    parser.add_argument("--copy", type=pathlib.Path, help="where the copy of the crate goes (a temporary folder)")
    args = parser.parse_args()
    global EVERY
    EVERY = listed(args.under)
    mutants = [Mutant(k, found) for k, found in enumerate(EVERY, 1)]
    if args.only:
        wanted = set(args.only.read_text().splitlines())
        mutants = [m for m in mutants if m.name in wanted]
    else:
        mutants = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = (args.copy or pathlib.Path(scratch)).resolve()
        copy(folder)
        inside = viable(folder, mutants)
        binaries = build(folder, ["--lib", "--bins", "--tests"])
        took, reached = reach(folder, binaries)
        took = {name: seconds for name, seconds in took.items() if seconds <= (args.longest or seconds)}
        alive = []
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for mutant, by in zip(inside, pool.map(lambda m: caught_by(folder, binaries, took, reached, m), inside)):
                unreached = not any(mutant.number in reached[name] for name in took)
                print(f"{by or ('alive, reached by no test' if unreached else 'ALIVE')}\t{mutant.name}", flush=True)
                if by is None:
                    alive.append(mutant)
    caught = len(inside) - len(alive)
    print(f"\n{caught} of {len(inside)} caught ({100 * caught / max(1, len(inside)):.0f}%); {len(EVERY)} mutants in all")


if __name__ == "__main__":
    main()
