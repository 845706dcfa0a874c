#!/usr/bin/env python3
"""Checks the licences, versions and sources of all dependencies against deny.toml.

Covers what is built for Linux and for macOS, build scripts included, without
the crates that only tests use. A `skip` entry of [bans] is a table with `crate`
("name" or "name@version") and `reason`, as cargo-deny has it; one that matches
nothing is an error, so that the list stays short.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin"]
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def licence_allowed(expression, allowed):
    """Evaluates an SPDX expression: AND, OR, WITH and parentheses."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        value = conjunction()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = conjunction() or value
        return value

    def conjunction():
        value = term()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = term() and value
        return value

    def term():
        token = tokens.pop(0)
        if token == "(":
            value = alternatives()
            tokens.pop(0)
            return value
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token += " WITH " + tokens.pop(0)
        return token in allowed

    return alternatives()


def packages():
    """The packages that any target builds, by id, and those of the workspace."""
    used, members = {}, set()
    for target in TARGETS:
        command = ["cargo", "metadata", "--locked", "--format-version=1", "--filter-platform", target]
        output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        metadata = json.loads(output)
        by_id = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        members.update(metadata["workspace_members"])
        queue = list(metadata["workspace_members"])
        while queue:
            package = queue.pop()
            if package in used and target in used[package][1]:
                continue
            used.setdefault(package, (by_id[package], set()))[1].add(target)
            for dependency in nodes[package]["deps"]:
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                    queue.append(dependency["pkg"])
    return {id: package for id, (package, _) in used.items()}, members


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    allowed = set(rules["licenses"]["allow"])
    skips = {entry["crate"]: entry["reason"] for entry in rules["bans"]["skip"]}
    used, members = packages()
    problems, versions, skipped = [], {}, set()

    for id, package in used.items():
        name = f"{package['name']} {package['version']}"
        if not package["license"] or not licence_allowed(package["license"], allowed):
            problems.append(f"{name}: licence {package['license'] or 'not stated'!r} is not in deny.toml")
        if id not in members and package["source"] != REGISTRY:
            problems.append(f"{name}: comes from {package['source']}")
        versions.setdefault(package["name"], set()).add(package["version"])

    for name, found in versions.items():
        keys = {key for key in skips if key == name or key in {f"{name}@{version}" for version in found}}
        counted = [v for v in found if not keys & {name, f"{name}@{v}"}]
        if len(found) > 1:
            skipped |= keys
            if len(counted) > 1:
                problems.append(f"{name}: built in versions {', '.join(sorted(found))} (`cargo tree -d` shows for whom)")
    problems += [f"deny.toml skips {key}, which is not duplicated" for key in set(skips) - skipped]

    for problem in sorted(problems):
        print(f"check-dependencies: {problem}", file=sys.stderr)
    if not problems:
        print(f"check-dependencies: {len(used)} packages, licences and versions as deny.toml allows")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
