#!/usr/bin/env python3
"""Runs the whole audit on another candle: what is repaired, what is new, what cannot be compared.

    scripts/audit_candle.py 0.10.2              # a version, from the registry
    scripts/audit_candle.py ~/candle            # a checkout, or any folder with candle-core and candle-nn
    scripts/audit_candle.py ~/candle -- tanh    # what follows -- goes to `candle-sine audit`

It builds this package against that candle, in a folder of its own (target/candle), and edits neither
this working tree nor the checkout. The exit status is the audit's: 0 every verdict is as recorded, 1 not
so, 2 it could not be done. Calls of what that candle lacks are left out, and named.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRATES = ["candle-core", "candle-nn"]


class CannotBeDone(Exception):
    """One line for the user; the exit status is 2."""


def version_of(manifest):
    """The version in a manifest, whether written there or inherited from a workspace."""
    command = ["cargo", "metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["cargo metadata fails"]
        raise CannotBeDone(f"{manifest}: {lines[0]}")
    packages = json.loads(done.stdout)["packages"]
    here = [p for p in packages if pathlib.Path(p["manifest_path"]).samefile(manifest)]
    return here[0]["version"]


class Candle:
    """A version of the registry, or a folder with both crates."""

    def __init__(self, where):
        if re.fullmatch(r"\d+\.\d+\.\d+\S*", where):
            self.folder = None
            self.versions = dict.fromkeys(CRATES, where)
            self.label = where
            return
        self.folder = pathlib.Path(where).resolve()
        manifests = {c: self.folder / c / "Cargo.toml" for c in CRATES}
        for manifest in manifests.values():
            if not manifest.exists():
                raise CannotBeDone(f"{where}: neither a version such as 0.10.2 nor a folder with {' and '.join(CRATES)}")
        self.versions = {c: version_of(m) for c, m in manifests.items()}
        self.label = f"{self.versions['candle-core']} in {self.folder.name}"

    def manifest(self, ours):
        """Our manifest with this candle in it."""
        for crate, version in self.versions.items():
            ours, n = re.subn(rf'^({crate} = .*?)"[\d.]+"', rf'\1"={version}"', ours, flags=re.M)
            assert n > 0, crate
        ours += "\n[workspace]\n"
        if self.folder:
            ours += "\n[patch.crates-io]\n"
            for crate in CRATES:
                ours += f"{crate} = {{ path = {json.dumps(str(self.folder / crate))} }}\n"
        return ours


def shadow(candle, folder):
    """This package in `folder`: the sources copied, the rest by links, a manifest and a lock of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ["tests", "scripts", "benches", "assets", "README.md"]:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    shutil.rmtree(folder / "src", ignore_errors=True)
    shutil.copytree(ROOT / "src", folder / "src")  # with the times: what has not changed is not built again
    manifest = candle.manifest((ROOT / "Cargo.toml").read_text())
    if not (folder / "Cargo.toml").exists() or (folder / "Cargo.toml").read_text() != manifest:
        (folder / "Cargo.toml").write_text(manifest)
        shutil.copy(ROOT / "Cargo.lock", folder / "Cargo.lock")


def build(candle, folder, target):
    """The program; or the compiler's errors, without what merely follows."""
    command = ["cargo", "build", "--release", "--bin", "candle-sine", "--message-format=json"]
    command += ["--manifest-path", str(folder / "Cargo.toml"), "--target-dir", str(target)]
    env = {**os.environ, "CANDLE_AUDITED": candle.label}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=False)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0:
        made = [m["executable"] for m in messages if m.get("executable")]
        return made[-1], []
    errors = [m for m in messages if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
    return None, [e for e in errors if e["message"]["spans"]]


def place(error):
    """File, line and offset of an error; a macro's is where it is called."""
    span = next(s for s in error["message"]["spans"] if s["is_primary"])
    while span["expansion"] and not span["file_name"].startswith("src/"):
        span = span["expansion"]["span"]
    return span["file_name"], span["line_start"], span["byte_start"]


# What may be left out: calls of candle's functions, each in a closure or a function of its own.
CALLS = ["src/audit/catalog/", "src/audit/known/repairs.rs"]
MISSING = "crate::audit::run::MISSING"
TOKEN = re.compile(rb'//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|[()\[\]{};,]')


def end_of(text, start, stop):
    """Where the bracket closes in which `start` lies, or the first of `stop` stands beside no bracket."""
    depth = 0
    for token in TOKEN.finditer(text, start):
        if token[0] in b")]}":
            if depth == 0:
                return token.start()
            depth -= 1
        elif token[0] in b"([{":
            depth += 1
        elif depth == 0 and token[0] in stop:
            return token.start()
    return len(text)


def instead(text, offset):
    """Where the smallest closure or function around an offset has its body, and what to put there."""
    found = None
    for start in re.finditer(rb"\|([^|\n]*)\|\s*|\bfn \w+[^{;]*\{", text):
        body = start.end()
        if body > offset:
            break
        closure = start[0].startswith(b"|")
        if offset >= end_of(text, body, [b",", b";"] if closure else []):
            continue
        gives = b"-> Result<" in start[0] or start[1] == b"a"
        if gives:
            put = f'candle_core::bail!("{{}}", {MISSING})'
        else:
            put = "vec![]" if b"-> Vec<" in start[0] else f'panic!("{{}}", {MISSING})'
        found = body, end_of(text, body, [b",", b";"] if closure else []), put
    return found


def without(text, offset):
    """The text without what does not compile at an offset; `None`: it must be there.

    >>> def left(text):
    ...     return (without(text.replace(b"?!", b""), text.index(b"?!")) or b"").decode()
    >>> left(b"use candle_nn::{?!a, b};\\nfn f() {}")
    'use candle_nn::{ b};\\nfn f() {}'
    >>> left(b"use candle_nn::?!a::{b, c};\\nfn f() {}")
    'fn f() {}'
    >>> left(b'c.run(|a| ?!new(&a[0], ",)")).torch("new");')
    'c.run(|a| candle_core::bail!("{}", crate::audit::run::MISSING)).torch("new");'
    >>> left(b"let c = || ?!New::at(1, 2); g(c())")
    'let c = || panic!("{}", crate::audit::run::MISSING); g(c())'
    >>> left(b"fn cases() -> Vec<Case> { f(|a| g(a)); ?!h() }")
    'fn cases() -> Vec<Case> {vec![]}'
    >>> left(b"fn new(a: &[Tensor]) -> Result<Tensor> { a[0].?!new() }")
    'fn new(a: &[Tensor]) -> Result<Tensor> {candle_core::bail!("{}", crate::audit::run::MISSING)}'
    >>> left(b"const TABLE: [Row; 1] = [method!(?!new)];")
    ''
    """
    for use in re.finditer(rb"^use [^;]*;\n", text, re.M):
        if use.start() <= offset < use.end():
            return text[: use.start()] + narrowed(use[0], offset - use.start()) + text[use.end() :]
    place = instead(text, offset)
    return place and text[: place[0]] + place[2].encode() + text[place[1] :]


def narrowed(use, offset):
    """A `use` without the name at an offset; without all where the name stands before the braces."""
    brace = use.find(b"{")
    if brace < 0 or offset < brace:
        return b""
    start = max(use.rfind(b",", 0, offset), brace) + 1
    end = next(i for i in range(offset, len(use)) if use[i] in b",}")
    return use[:start] + use[end + (use[end] == 44) :]


def leave_out(folder, errors):
    """Takes what does not compile out of the copied sources; the errors that are elsewhere."""
    left, places = [], {}
    for error in errors:
        file, _, offset = place(error)
        if any(file.startswith(c) for c in CALLS):
            places.setdefault(file, []).append((offset, error))
        else:
            left.append(error)
    for file, found in places.items():
        text, last = (folder / file).read_bytes(), None
        for offset, error in sorted(found, key=lambda f: -f[0]):
            if last is not None and offset >= last:
                continue  # inside of what has just been taken out
            shorter = without(text, offset)
            if shorter is None:
                left.append(error)
                continue
            same = next((i for i, (a, b) in enumerate(zip(text, shorter)) if a != b), 0)
            text, last = shorter, same
        (folder / file).write_bytes(text)
    return left


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candle", help="a version, or a folder with candle-core and candle-nn")
    parser.add_argument("args", nargs="*", help="for `candle-sine audit`, after --")
    asked = parser.parse_args()
    candle = Candle(asked.candle)
    work = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "candle"
    folder = work / re.sub(r"\W+", "-", candle.label)
    shadow(candle, folder)
    program, errors = build(candle, folder, work / "build")
    for _ in range(8):
        if program or not errors:
            break
        first = leave_out(folder, errors)
        if first:
            errors = first
            break
        program, errors = build(candle, folder, work / "build")
    if not program:
        first = "cargo build fails, see above"
        if errors:
            first = "{}, {}:{}".format(errors[0]["message"]["message"], *place(errors[0]))
        raise CannotBeDone(f"candle {candle.label}: this package does not compile with it: {first}")
    sys.exit(subprocess.run([program, "audit", *asked.args], check=False).returncode)


if __name__ == "__main__":
    try:
        main()
    except (CannotBeDone, OSError) as why:
        print(f"error: {why}", file=sys.stderr)
        sys.exit(2)
