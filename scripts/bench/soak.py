"""The workers and the killer of soak.sh, which has started the system in $HOME.

A run is `container run --rm`, every other one with a directory of the host; it has
to print its own number. It ends in one of these ways:

  ok          exit code 0, and everything was printed
  hit         it failed, and a kill was the cause: of its command, helper, virtual
              machine or share server; or of the API server or the image service
              while it ran. Runs do not begin while the API server is started again.
  unexpected  it failed without that, or succeeded without having printed everything
  stuck       it had not ended by the limit

The helper of a network and its holder may be killed at any moment, and no run may
notice. Evidence of what went wrong is kept in the directory that is printed.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

HOME = os.environ["HOME"]
APP = pathlib.Path(HOME, ".local/share/container")
LOGS = pathlib.Path(HOME, ".local/state/container")
SERVICES = {
    "apiserver": "container-apiserver",
    "images": "container-core-images",
    "network": "container-network-bridge",
    "holder": "container-network-bridge",
}
OF_RUNS = {
    "helper": "container-runtime-linux",
    "machine": "qemu-system",
    "share": "container-share-fs",
}
KINDS = ["command", *SERVICES, *OF_RUNS]
# Until what a killed command has left behind is given up: a machine that was booted
# and not started waits for a minute.
SETTLE = 150


class Process:
    """A process of this system, as /proc shows it."""

    def __init__(self, pid):
        base = f"/proc/{pid}"
        self.pid = pid
        self.program = os.path.basename(os.readlink(f"{base}/exe"))
        with open(f"{base}/cmdline", "rb") as file:
            self.words = file.read().decode(errors="replace").split("\0")[:-1]
        with open(f"{base}/stat") as file:
            self.parent = int(file.read().rpartition(")")[2].split()[1])

    def kind(self):
        if self.program == "container-network-bridge":
            return "holder" if "hold" in self.words[1:2] else "network"
        for kind, program in {**SERVICES, **OF_RUNS}.items():
            if self.program.startswith(program):
                return kind
        return None

    def __str__(self):
        return f"{self.pid} {' '.join(self.words)[:200]}"


def is_ours(pid):
    """Whether a process has this home in its environment, or a file below it open."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            if f"HOME={HOME}".encode() in file.read().split(b"\0"):
                return True
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            if os.readlink(descriptor.path).startswith(HOME + "/"):
                return True
    except OSError:
        pass
    return False


def processes():
    """This system's programs. Virtual machines have no environment, but files open."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            process = Process(int(name))
        except OSError:
            continue  # a thread of the kernel, or one that has just ended
        if process.kind() and is_ours(process.pid):
            found.append(process)
    return found


def run_of(process, by_pid):
    """The number of the run that a process belongs to."""
    while process:
        if process.program == OF_RUNS["helper"]:
            return int(process.words[-1].removeprefix("soak-"))
        process = by_pid.get(process.parent)
    return None


class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.lock = threading.Lock()
        self.may_begin = threading.Condition(self.lock)
        self.paused = False
        self.begun = 0
        self.ended = 0
        self.done = False
        self.commands = {}  # number of a run -> its command
        self.hits = collections.defaultdict(set)  # number of a run -> kinds of what was killed
        self.kills = collections.Counter()
        self.ways = collections.Counter()
        self.failures = collections.Counter()
        self.times = []
        self.bad = []

    # Runs

    def work(self):
        while True:
            with self.lock:
                self.may_begin.wait_for(lambda: not self.paused)
                if self.begun >= self.options.runs:
                    return
                self.begun += 1
                number = self.begun
                directory = ["-v", f"{HOME}/shared:/shared"] if number % 2 else []
                script = f"sleep 0.1; echo run {number}" + ("; cat /shared/text" if directory else "")
                command = subprocess.Popen(
                    [self.options.container, "run", "--rm", "--progress", "none", "--name", f"soak-{number}"]
                    + directory + ["busybox", "sh", "-c", script],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.commands[number] = command
            began = time.monotonic()
            expected = f"run {number}\n" + ("shared\n" if directory else "")
            try:
                out, errors = command.communicate(timeout=self.options.limit)
            except subprocess.TimeoutExpired:
                self.keep(number, f"stuck after {self.options.limit} s")
                command.kill()
                out, errors = command.communicate()
                self.end(number, "stuck", f"was stuck, printed {out!r} {errors!r}", began)
                continue
            self.judge(number, command.returncode, out == expected, out, errors, began)

    def judge(self, number, code, complete, out, errors, began):
        with self.lock:
            hits = sorted(self.hits[number])
        blamed = [kind for kind in hits if kind not in ("network", "holder")]
        text = f"ended with {code}, printed {out!r} {errors!r}, hit by {hits}"
        if code == 0 and complete:
            way = "ok"
        elif code != 0 and blamed:
            way = "hit"
            lines = errors.strip().splitlines() or [f"exit code {code}"]
            with self.lock:
                self.failures["+".join(blamed) + ": " + lines[-1].replace(f"soak-{number}", "soak-N")] += 1
        else:
            way = "unexpected"
            self.keep(number, text)
        self.end(number, way, text, began)

    def end(self, number, way, text, began):
        with self.lock:
            del self.commands[number]
            self.ended += 1
            self.ways[way] += 1
            self.times.append(time.monotonic() - began)
            if way in ("unexpected", "stuck"):
                self.bad.append(f"run {number} {text}")
                print(f"soak: run {number} {way}: {text}", flush=True)

    # Kills

    def kill_all_along(self):
        every = self.options.kill_every
        following = self.random.randint(1, every)
        while True:
            with self.lock:
                if self.done:
                    return
                due = self.begun >= following
            if not due:
                time.sleep(0.02)
                continue
            following += self.random.randint(1, 2 * every - 1)
            kind = self.random.choice(self.options.kinds)
            time.sleep(self.random.uniform(0, 2))
            # There may be none of that kind at this moment.
            for _ in range(40):
                if self.kill_one(kind):
                    break
                time.sleep(0.05)

    def kill_one(self, kind):
        if kind == "command":
            with self.lock:
                number = self.random.choice(sorted(self.commands) or [None])
                if number is None:
                    return False
                self.hits[number].add(kind)
                self.commands[number].kill()
                self.kills[kind] += 1
            return True
        found = processes()
        by_pid = {process.pid: process for process in found}
        targets = [process for process in found if process.kind() == kind]
        if not targets:
            return False
        target = self.random.choice(targets)
        with self.lock:
            if kind == "apiserver":
                self.paused = True
            hit = list(self.commands) if kind in SERVICES else [run_of(target, by_pid)]
            for number in hit:
                self.hits[number].add(kind)
            try:
                os.kill(target.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.kills[kind] += 1
        if kind == "apiserver":
            self.start_again()
        return True

    def start_again(self):
        command = [self.options.container, "system", "start", "--disable-kernel-install"]
        try:
            started = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                     timeout=self.options.limit)
            failure = None if started.returncode == 0 else started.stdout + started.stderr
        except subprocess.TimeoutExpired:
            failure = "did not end"
        with self.lock:
            if failure:
                self.bad.append(f"system start: {failure}")
                print(f"soak: system start: {failure}", flush=True)
            self.paused = False
            self.may_begin.notify_all()

    # What is left

    def left(self):
        """Everything that should have gone, one thing a line."""
        things = [f"process {process}" for process in processes() if process.kind() in OF_RUNS]
        listed = subprocess.run([self.options.container, "list", "-a", "-q"], capture_output=True, text=True,
                                timeout=60)
        things += [f"container {id}" for id in listed.stdout.split()]
        if listed.returncode != 0:
            things.append(f"list failed: {listed.stderr.strip()}")
        for directory in ("containers", "run", "run/jobs", "content/ingest", "content/partial", "snapshots/ingest"):
            for path in APP.joinpath(directory).glob("*"):
                if directory == "containers" or "ingest" in directory or "partial" in directory or "soak" in path.name:
                    things.append(f"file {path.relative_to(HOME)}")
                elif str(path) not in self.files_before and directory.startswith("run"):
                    things.append(f"file {path.relative_to(HOME)}")
        things += [f"file {path.relative_to(HOME)}" for path in LOGS.glob("*soak*") if path.stat().st_size == 0]
        with open("/proc/mounts") as file:
            things += [f"mount {line.strip()}" for line in file if HOME in line]
        things += [f"interface {name} in the network" for name in self.inside() if name.startswith("tap")]
        return things

    def inside(self):
        """The names of the interfaces in the network's namespace."""
        return [interface["ifname"] for interface in self.interfaces(True)]

    def interfaces(self, inside):
        enter = []
        if inside:
            holders = [process for process in processes() if process.kind() == "holder"]
            if len(holders) != 1:
                return []
            enter = ["nsenter", "-t", str(holders[0].pid), "-n"]
            if os.geteuid() != 0:
                enter += ["-U", "--preserve-credentials"]
        shown = subprocess.run([*enter, "ip", "-j", "link"], capture_output=True, text=True, timeout=30)
        return json.loads(shown.stdout or "[]")

    def on_the_host(self):
        """What the network has on the host: its interface, and its table of rules."""
        # Another network namespace's index, by which the pair knows each other.
        indexes = {interface.get("link_index") for interface in self.interfaces(True) if interface["ifname"] == "up0"}
        names = [interface["ifname"] for interface in self.interfaces(False) if interface["ifindex"] in indexes]
        return names, ["container-" + name.removeprefix("cn-") for name in names]

    def left_after_stop(self, names, tables):
        things = [f"process {process}" for process in processes()]
        present = {interface["ifname"] for interface in self.interfaces(False)}
        things += [f"interface {name}" for name in names if name in present]
        listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True) if tables else None
        things += [f"table {table}" for table in tables if table in listed.stdout.split()]
        things += [f"file {path.relative_to(HOME)}" for path in APP.joinpath("run").rglob("*.sock")]
        return things

    def descriptors(self):
        """How many each service has open, and the memory of the API server."""
        counts = {}
        for process in processes():
            if process.kind() in SERVICES:
                counts[process.kind()] = len(os.listdir(f"/proc/{process.pid}/fd"))
                if process.kind() == "apiserver":
                    with open(f"/proc/{process.pid}/status") as file:
                        counts["memory"] = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        return counts

    # Evidence

    def keep(self, name, text):
        """Writes down what is there: what processes do, what services and machines have logged."""
        directory = self.options.evidence / f"run-{name}"
        directory.mkdir(parents=True, exist_ok=True)
        lines = [text, ""]
        for process in processes():
            try:
                with open(f"/proc/{process.pid}/wchan") as file:
                    waits = file.read()
            except OSError:
                waits = "?"
            lines.append(f"{process}  parent {process.parent} in {waits}")
        directory.joinpath("state.txt").write_text("\n".join(lines) + "\n")
        for path in [*LOGS.glob("*.log"), *APP.glob(f"containers/soak-{name}/*.log")]:
            if "soak-" not in path.name or f"soak-{name}." in path.name:
                try:
                    shutil.copy(path, directory / path.name)
                except OSError:
                    pass

    def settle(self):
        """Waits for what goes by itself, and gives what does not."""
        until = time.monotonic() + SETTLE
        while (things := self.left()) and time.monotonic() < until:
            time.sleep(0.5)
        return things

    def run(self):
        pathlib.Path(HOME, "shared").mkdir()
        pathlib.Path(HOME, "shared/text").write_text("shared\n")
        first = [self.options.container, "run", "--rm", "--progress", "none", "busybox", "true"]
        subprocess.run(first, check=True, stdin=subprocess.DEVNULL, timeout=self.options.limit)
        self.files_before = {str(path) for path in APP.joinpath("run").rglob("*")}
        if things := self.settle():
            sys.exit(f"soak: left before the start: {things}")
        before = self.descriptors()
        began = time.monotonic()
        killer = threading.Thread(target=self.kill_all_along)
        workers = [threading.Thread(target=self.work) for _ in range(self.options.at_once)]
        for thread in [killer, *workers]:
            thread.start()
        for thread in workers:
            thread.join()
        with self.lock:
            self.done = True
        killer.join()
        took = time.monotonic() - began
        ended = time.monotonic()
        things = self.settle()
        settled = time.monotonic() - ended
        if things:
            self.keep("end", "\n".join(things))
        # After all this, everything works.
        last = subprocess.run(first, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=self.options.limit)
        if last.returncode != 0:
            self.bad.append(f"the run after all: {last.stderr}")
            self.keep("last", last.stderr)
        things += [thing for thing in self.settle() if thing not in things]
        after = self.descriptors()
        names, tables = self.on_the_host()
        stopped = subprocess.run([self.options.container, "system", "stop"], capture_output=True, text=True,
                                 timeout=self.options.limit)
        if stopped.returncode != 0:
            self.bad.append(f"system stop: {stopped.stderr}")
        things += self.left_after_stop(names, tables)
        self.report(took, settled, before, after, things)

    def report(self, took, settled, before, after, things):
        ways = ", ".join(f"{self.ways[way]} {way}" for way in ("ok", "hit", "unexpected", "stuck"))
        kills = ", ".join(f"{kind} {self.kills[kind]}" for kind in self.options.kinds)
        times = sorted(self.times)
        print(f"soak: {self.ended} runs, {self.options.at_once} at a time, in {took:.0f} s: {ways}; "
              f"seed {self.options.seed}")
        print(f"a run took {times[len(times) // 2]:.1f} s, the longest {times[-1]:.1f} s")
        print(f"killed: {kills}")
        for text, count in self.failures.most_common():
            print(f"  {count} times, by a kill of {text}")
        print(f"left, {settled:.0f} s later: {len(things)} things")
        for thing in things:
            print(f"  {thing}")
        for what in before:
            unit = " kB" if what == "memory" else " descriptors"
            print(f"{what}: {before[what]}{unit} before, {after.get(what)} after")
        grown = [kind for kind in SERVICES if after.get(kind, 0) > before.get(kind, 0) + 4]
        if things or self.bad or grown:
            sys.exit(f"soak: {len(self.bad)} bad ends, {len(things)} things left, grown: {grown}; "
                     f"evidence in {self.options.evidence}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--container", required=True)
    parser.add_argument("--evidence", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kill-every", type=int, default=5, help="runs per kill, in the mean")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS)
    parser.add_argument("--limit", type=float, default=120, help="seconds that a run may take")
    options = parser.parse_args()
    print(f"soak: seed {options.seed}", flush=True)
    Soak(options).run()


main()
