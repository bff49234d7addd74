#!/usr/bin/env python3
"""Runs the whole audit on another candle: what is repaired, what is new, what cannot be compared.

    scripts/audit_candle.py 0.10.2              # a version, from the registry
    scripts/audit_candle.py ~/candle            # a checkout, or any folder with candle-core and candle-nn
    scripts/audit_candle.py ~/candle -- tanh    # what follows -- goes to `candle-sine audit`

It builds this package against that candle, in a folder of its own (target/candle), and edits neither
this working tree nor the checkout. The exit status is the audit's: 0 every verdict is as recorded, 1 not
so, 2 it could not be done.
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
    """This package in `folder`, by links; only its manifest and its lock are files of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ["src", "tests", "scripts", "benches", "assets", "README.md"]:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
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
    span = next(s for s in error["message"]["spans"] if s["is_primary"])
    return f"{span['file_name']}:{span['line_start']}"


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
    if not program:
        first = f"{errors[0]['message']['message']}, {place(errors[0])}" if errors else "see above"
        raise CannotBeDone(f"candle {candle.label}: this package does not compile with it: {first}")
    sys.exit(subprocess.run([program, "audit", *asked.args], check=False).returncode)


if __name__ == "__main__":
    try:
        main()
    except CannotBeDone as why:
        print(f"error: {why}", file=sys.stderr)
        sys.exit(2)
