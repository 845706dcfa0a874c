"""Writes layers full of what layers may have, as tar archives named in the order in which they belong.

    layers.py DIRECTORY
"""

import io
import pathlib
import sys
import tarfile

directory = pathlib.Path(sys.argv[1])
CAPABILITY = bytes([1, 0, 0, 2, 0, 0x20] + 14 * [0])
ACL = (
    b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff"
    b"\x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff"
)


class Layer:
    """A layer that is being written."""

    count = 0

    def __enter__(self):
        Layer.count += 1
        self.archive = tarfile.open(directory / f"{Layer.count:02}.tar", "w", format=tarfile.PAX_FORMAT)
        return self

    def __exit__(self, *error):
        self.archive.close()

    def add(self, name, content=b"", kind=tarfile.REGTYPE, mode=0o644, xattrs=None, pax=None, **fields):
        """Adds an entry."""
        entry = tarfile.TarInfo("x")
        entry.name, entry.type, entry.mode, entry.size = name, kind, mode, len(content)
        entry.mtime = 1_600_000_000
        for field, value in fields.items():
            setattr(entry, field, value)
        entry.pax_headers = dict(pax or {})
        for key, value in (xattrs or {}).items():
            entry.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
        self.archive.addfile(entry, io.BytesIO(content))

    def directory(self, name, mode=0o755, **more):
        self.add(name, kind=tarfile.DIRTYPE, mode=mode, **more)

    def symlink(self, name, target):
        self.add(name, kind=tarfile.SYMTYPE, linkname=target, mode=0o777)

    def link(self, name, target):
        self.add(name, kind=tarfile.LNKTYPE, linkname=target)


def noise(seed, size):
    """Bytes that hardly compress."""
    state, content = seed * 2654435761 % 2**32 | 1, bytearray()
    while len(content) < size:
        state = state * 1664525 % 2**32 + 1013904223 & 0xFFFFFFFF
        content += state.to_bytes(4, "little")
    return bytes(content[:size])


with Layer() as layer:
    layer.directory("cases", mode=0o711, uid=1, gid=2)
    layer.directory("cases/usr/lib")
    layer.directory("cases/usr")
    layer.symlink("cases/lib", "usr/lib")
    layer.add("cases/usr/lib/a.so", noise(1, 20_000))
    layer.add("cases/su", noise(2, 100), mode=0o4755)
    layer.add("cases/mail", noise(3, 4096), mode=0o2755, uid=5, gid=70_000)
    layer.directory("cases/nodes")
    layer.add("cases/nodes/null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
    layer.add("cases/nodes/loop0", kind=tarfile.BLKTYPE, mode=0o660, gid=6, devmajor=7, devminor=0)
    layer.add("cases/nodes/fifo", kind=tarfile.FIFOTYPE, mode=0o600)
    layer.add("cases/big-ids", b"ids", uid=3_000_000_000, gid=3_000_000_001, pax={"mtime": "1500000000.123456789"})
    layer.add("cases/ping", noise(4, 5000), xattrs={"security.capability": CAPABILITY, "user.note": b"hello"})
    layer.add("cases/acl", b"acl", xattrs={"system.posix_acl_access": ACL})
    long = "cases/long/" + 200 * "d"
    layer.directory("cases/long")
    layer.directory(long)
    layer.add(long + "/" + 255 * "f", b"long")
    layer.directory("cases/many", mode=0o750)
    for i in range(200):
        layer.add(f"cases/many/file{i}", noise(i, i * 41))
with Layer() as layer:
    # Hard links across layers, below a symbolic link too.
    layer.link("cases/lib/b.so", "cases/usr/lib/a.so")
    layer.link("cases/c.so", "cases/lib/a.so")
    layer.link("cases/l2", "cases/lib")
    layer.directory("cases/usr/lib")
    layer.directory("cases", mode=0o711, uid=1, gid=2)
with Layer() as layer:
    # A file over a directory, a directory over a file and over a link.
    layer.add("cases/many", b"file")
    layer.directory("cases/su", mode=0o700)
    layer.add("cases/su/inside", b"x")
    layer.directory("cases/su", mode=0o700)
    layer.directory("cases/l2")
    layer.directory("cases")
with Layer() as layer:
    # And back.
    layer.directory("cases/many")
    layer.add("cases/many/again", b"again")
    layer.directory("cases/many")
    layer.add("cases/su", b"su", mode=0o4711)
    layer.directory("cases")
with Layer() as layer:
    for name in ["dir/a", "dir/sub/b", "gone/x", "kept/x"]:
        layer.add("cases/" + name, name.encode())
    for name in ["dir/sub", "dir", "gone", "kept", "."]:
        layer.directory("cases/" + name, mode=0o701)
with Layer() as layer:
    layer.add("cases/dir/.wh..wh..opq")
    layer.add("cases/dir/new", b"new")
    layer.add("cases/.wh.gone")
    layer.add("cases/kept/.wh.x")
    for name in ["dir", "kept", "."]:
        layer.directory("cases/" + name, mode=0o751)
with Layer() as layer:
    # Metadata alone.
    layer.directory("cases/kept", mode=0o1777, uid=9, gid=9)
    layer.directory("cases/usr", mode=0o700, xattrs={"user.dir": b"d"})
with Layer() as layer:
    layer.add("cases/usr/lib/.wh.a.so")
    layer.directory("cases/usr/lib")
with Layer() as layer:
    layer.add("cases/c.so", b"other")
    layer.symlink("cases/long-link", 150 * "t/")
    layer.directory("cases")
with Layer() as layer:
    for i in range(100_000):
        layer.add(f"files/{i % 100}/{i}", b"%d\n" % i)
    for i in range(100):
        layer.directory(f"files/{i}")
    layer.directory("files")
