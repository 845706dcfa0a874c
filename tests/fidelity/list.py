"""Lists everything below a directory, as far as a program can tell: one JSON array a line, ordered by path.

    list.py ROOT [SKIPPED...]

What is called SKIPPED, below ROOT, is left out with everything in it.
"""

import hashlib
import json
import os
import stat
import sys

root = os.fsencode(sys.argv[1])
skipped = {os.fsencode(path) for path in sys.argv[2:]}
# The first name of files that have several.
names = {}


def show(path):
    """Prints what there is to tell about one path."""
    full = os.path.join(root, path)
    status = os.lstat(full)
    content = None
    if stat.S_ISREG(status.st_mode):
        with open(full, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.fsdecode(os.readlink(full))
    links = None
    if not stat.S_ISDIR(status.st_mode):
        name = names.setdefault(status.st_ino, path) if status.st_nlink > 1 else path
        links = [status.st_nlink, os.fsdecode(name)]
    device = None
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        device = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    attributes = {
        name: os.getxattr(full, name, follow_symlinks=False).hex()
        for name in sorted(os.listxattr(full, follow_symlinks=False))
    }
    owner = [status.st_uid, status.st_gid]
    size = None if stat.S_ISDIR(status.st_mode) else status.st_size
    print(json.dumps(
        [os.fsdecode(path), oct(status.st_mode), owner, size, status.st_mtime_ns, links, device, attributes, content]
    ))
    return stat.S_ISDIR(status.st_mode)


def walk(directory):
    """Shows what is in a directory."""
    for name in sorted(os.listdir(os.path.join(root, directory))):
        path = os.path.join(directory, name)
        if path not in skipped and show(path):
            walk(path)


sys.setrecursionlimit(10_000)
walk(b"")
