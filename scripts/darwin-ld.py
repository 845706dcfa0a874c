#!/usr/bin/env python3
"""Links a program for macOS where there is no SDK of Apple's, for check-darwin.sh.

It proves that nothing of ours is missing, that every function of libSystem that is
named (libxpc, libdispatch and the unified log are in it) exists there, and that
whatever is a framework's belongs to one that the program is linked with. Whether a
framework has it is taken on trust: no list of that can be had without a Mac. The C
code of crates is not compiled for macOS here, so it may be missing. What comes out is
no program to run.

    DARWIN_LLD      rust-lld
    LIBSYSTEM_TBD   the list of libSystem's symbols
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Whose a symbol is, by its beginning; without a name it is C code of a crate.
OWNERS = [
    (r"_(objc|class|sel|object|protocol|method|ivar|property|imp)_|__objc_", "-lobjc"),
    (r"_(lib)?iconv", "-liconv"),
    (r"_audit_token_to_", "-lbsm"),
    (r"_+k?CF[A-Z]", "CoreFoundation"),
    (r"_(k|err)?Sec[A-Z]|_SSL", "Security"),
    (r"_k?SC[A-Z]", "SystemConfiguration"),
    (r"_(OBJC_(META)?CLASS_\$_)?VZ", "Virtualization"),
    (r"_(OBJC_(META)?CLASS_\$_)?NS", "Foundation"),
    (r"_(ZSTD_|ZDICT_|HUF_|FSE_|XXH|ring_core_|ring_core_0|LZ4|BZ2_|lzma_)", None),
]
LIBRARIES = {
    "-lobjc": "/usr/lib/libobjc.A.dylib",
    "-liconv": "/usr/lib/libiconv.2.dylib",
    "-lbsm": "/usr/lib/libbsm.0.dylib",
}
SYSTEM = ("System", "c", "m", "dl", "pthread", "resolv", "util")


def stub(path, name, symbols):
    """A library that has these symbols, as far as a linker can tell."""
    lines = ["--- !tapi-tbd", "tbd-version: 4", "targets: [ arm64-macos ]", f"install-name: '{name}'"]
    if symbols:
        listed = ", ".join(f"'{symbol}'" for symbol in sorted(symbols))
        lines += ["exports:", "  - targets: [ arm64-macos ]", f"    symbols: [ {listed} ]"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, "...", ""]))


def stubs(root, linked, symbols):
    """What the program is linked with, below a directory that stands for the SDK."""
    for name in SYSTEM:
        path = root / f"usr/lib/lib{name}.tbd"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(os.environ["LIBSYSTEM_TBD"])
    for name in linked:
        if name in LIBRARIES:
            stub(root / f"usr/lib/lib{name[2:]}.tbd", LIBRARIES[name], symbols.get(name))
        else:
            place = f"System/Library/Frameworks/{name}.framework"
            stub(root / place / f"{name}.tbd", f"/{place}/Versions/A/{name}", symbols.get(name))


def link(arguments):
    command = [os.environ["DARWIN_LLD"], "-flavor", "darwin", "--error-limit=0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stderr


def main(arguments):
    if arguments[:1] == ["-flavor"]:
        arguments = arguments[2:]
    frameworks = {after for before, after in zip(arguments, arguments[1:]) if before in ("-framework", "-weak_framework")}
    linked = frameworks | {word for word in arguments if word in LIBRARIES}
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        arguments = [*arguments, "-syslibroot", directory]
        stubs(root, linked, {})
        status, text = link(arguments)
        missing = sorted(set(re.findall(r"undefined symbol: (\S+)", text)))
        if status == 0 or not missing:
            sys.stderr.write(text)
            return status
        symbols, absent, unknown = {}, [], []
        for symbol in missing:
            owners = [owner for pattern, owner in OWNERS if re.match(pattern, symbol)]
            if not owners:
                unknown.append(f"{symbol}: neither libSystem's nor a known framework's")
            elif owners[0] is None:
                absent += ["-U", symbol]
            elif owners[0] in linked:
                symbols.setdefault(owners[0], set()).add(symbol)
            else:
                unknown.append(f"{symbol}: {owners[0]} is not linked")
        if unknown:
            sys.stderr.write("".join(f"darwin-ld: {line}\n" for line in unknown))
            return 1
        stubs(root, linked, symbols)
        status, text = link([*arguments, *absent])
        sys.stderr.write(text)
        return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
