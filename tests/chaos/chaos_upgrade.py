#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The node becomes another program under load, and is stopped and started: chaos_upgrade.py [TEST...], CHAOS_SECONDS
(default 60; a third of them are used), CHAOS_SEED.

An upgrade ends no conversation and no call: hosts see no end, no error and no refusal that policy did not make. What
cannot take over is refused, and the program that runs goes on. Over a stop and a start, connections wait in listeners
that the service manager keeps; here the test is the service manager.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "peer"), HERE]
import chaos_kill as kill  # noqa: E402
import gate as g  # noqa: E402
import opened  # noqa: E402
from case import Case, allow, main  # noqa: E402

SECONDS = kill.SECONDS / 3
UNTIL_SECONDS = 120  # for a state that comes; how soon, the printed figures tell
TOOK_OVER = "info keeper: took over"


class Copy(g.Gate):
    """A daemon that runs from a file of its own, so that another one can take the file's place."""

    def program(self, name):
        path = super().program(name)
        if name != "tollgated" or self.off:
            return path
        copy = self.work.path("tollgated")
        if not os.path.exists(copy):
            shutil.copy(path, copy)
        return copy

    def put(self, content, mode=0o755):
        """What the next upgrade finds: a file, by rename, as packages are installed."""
        fresh = self.work.path("tollgated.new")
        shutil.copy(content, fresh)
        os.chmod(fresh, mode)
        os.rename(fresh, self.work.path("tollgated"))

    def said(self, text):
        return self.daemon_log().count(text)

    def until(self, holds, what):
        deadline = time.monotonic() + UNTIL_SECONDS
        while not holds():
            if time.monotonic() > deadline or self.daemon.poll() is not None:
                raise RuntimeError(f"not in {UNTIL_SECONDS} s: {what}; {self.daemon_log()[-1500:]}")
            time.sleep(0.05)

    def roles(self, name):
        return {p for p in self.left_processes() if f"--role {name} " in g.command_line(p)}

    def open_rows(self):
        """Also of a node that is not healthy: a proxy is down for a moment when another takes its place."""
        return [r for r in json.loads(self.tollgate("status", "--json").stdout)["rows"] if r["row"] == "upgrade"]

    def healthy(self):
        return self.tollgate("status").returncode == 0

    def started(self):
        """When the supervisor that answers began, healthy or not; None when none does."""
        with contextlib.suppress(ValueError):
            return json.loads(self.tollgate("status", "--json").stdout)["started"]
        return None

    def upgrade(self, content, programs=False):
        """programs: the kernel programs are not this daemon's own, either, so that they are replaced, too."""
        before = self.said(TOOK_OVER)
        if programs:
            top = os.path.join(self.run_dir, "bpf")
            version = [v for v in os.listdir(top) if v.startswith("v")][0]
            os.unlink(os.path.join(top, version, "progs", "iter_labels"))  # nothing is detached by that
        self.until(self.started, "its supervisor answers")
        started = self.started()
        self.put(content)
        os.kill(self.daemon.pid, signal.SIGUSR2)
        self.until(lambda: self.said(TOOK_OVER) > before, "the other program took over")
        self.until(lambda: self.started() not in (None, started), "the other program's supervisor answers")


def count_replaced(records):
    return sum(r.get("reason_code") == "programs_replaced" for r in records)


class Upgrades(kill.Stage):
    gate_class = Copy
    replaced = 0

    def judge(self):
        if not self.gate.off:
            # The last of them may not be in the log yet.
            told = count_replaced(self.gate.settle(lambda records: count_replaced(records) >= self.replaced))
            self.check(f"the log tells of {self.replaced} replacements of the kernel programs", told == self.replaced, told)
        super().judge()

    def kill(self):
        programs = self.killed["upgrade"] % 2 == 1
        self.gate.upgrade(os.path.join(g.build_dir(), "tollgated"), programs)
        self.killed["upgrade"] += 1
        self.replaced += programs

    def judge_host(self, host, log):
        super().judge_host(host, log)
        ends = host.saw(b"E")
        self.check(f"{host.name}: no call failed", not ends, ends[:3])


def upgraded_under_load():
    return kill.play(Upgrades([], SECONDS))


NO_CALLS = """permit (principal, action in [Action::"server/use", Action::"method"], resource);
"""
POLICY = NO_CALLS + allow("http-server/echo")


class Waiting:
    """One HTTP host that calls without pause, in a case."""

    def __init__(self, c, gate_class):
        self.c, self.stop_file, self.log = c, c.work.path("stop"), c.work.path("host.log")
        self.host = shutil.copy(os.path.join(HERE, "host.py"), c.work.path("host.py"))
        server = shutil.copy(os.path.join(TESTS, "scene", "server.py"), c.work.path("server.py"))
        c.gate = gate_class(c.work, [{"name": "agent", "exe": g.python(), "script": self.host}], POLICY)
        self.port = g.free_port()
        c.work.start([g.python(), server, "--http", str(self.port)], env=g.environment())
        g.wait_for_port(self.port)
        c.gate.scan("http-server", url=f"http://127.0.0.1:{self.port}/mcp")
        c.gate.start()
        self.process = c.work.start([g.python(), self.host, self.log, self.stop_file, "0", "http", str(self.port), "/mcp"],
                                    env=g.environment())

    def saw(self, kind):
        with contextlib.suppress(OSError), open(self.log, "rb") as f:
            return [line[2:-1].decode() for line in f if line[:1] == kind and line.endswith(b"\n")]
        return []

    def arrived(self):
        with open(self.c.work.path("server.log"), "rb") as f:
            return len(f.readlines())

    def more(self):
        """Waits until the host has had answers that it has not had yet."""
        before = len(self.saw(b"R"))
        self.c.gate.until(lambda: len(self.saw(b"R")) > before + 5, "the host has more answers")

    def end(self):
        self.c.work.write("stop", "")
        self.process.wait(UNTIL_SECONDS)


def idle_proxies_are_replaced():
    """A proxy that has no conversation gives its place to one of the new program; status says so until then."""
    with Case() as c:
        c.gate = Copy(c.work, [{"name": "agent", "exe": os.path.join(c.work.dir, "nobody")}], NO_CALLS)
        c.gate.start()
        before = c.gate.roles("proxy")
        c.gate.upgrade(os.path.join(g.build_dir(), "tollgated"))
        c.gate.until(lambda: not c.gate.open_rows() and c.gate.healthy(), "no proxy is of the program before")
        after = c.gate.roles("proxy")
        c.check("other proxies, as many as before", len(after) == len(before) and not after & before, [before, after])
    return c


def what_cannot_take_over():
    """The program that runs goes on, and so do its conversations."""
    with Case() as c:
        w = Waiting(c, Copy)
        w.more()
        for name, content, mode, said in (
                ("a program that says no", shutil.which("false"), 0o755, "it refuses"),
                ("what is no program", w.log, 0o755, "it refuses"),
                ("a program that others can write", os.path.join(g.build_dir(), "tollgated"), 0o777, "root's alone")):
            before = c.gate.said(said)
            c.gate.put(content, mode)
            os.kill(c.gate.daemon.pid, signal.SIGUSR2)
            c.gate.until(lambda s=said, b=before: c.gate.said(s) > b, f"{name} is refused")
            w.more()
            c.check(f"{name}: refused, and the node goes on", c.gate.healthy() and c.gate.said(TOOK_OVER) == 0)
        # A configuration that the next program cannot read is no reason to end this one.
        with open(c.gate.config, encoding="ascii") as f:
            good = f.read()
        c.work.write(os.path.basename(c.gate.config), good + "nonsense: 1\n")
        c.gate.put(os.path.join(g.build_dir(), "tollgated"))
        before = c.gate.said("it refuses")
        os.kill(c.gate.daemon.pid, signal.SIGUSR2)
        c.gate.until(lambda: c.gate.said("it refuses") > before, "a broken configuration is refused")
        c.check("a broken configuration: refused, and the node goes on", c.gate.said(TOOK_OVER) == 0)
        c.work.write(os.path.basename(c.gate.config), good)
        c.gate.upgrade(os.path.join(g.build_dir(), "tollgated"))
        w.more()
        w.end()
        c.check("after all that no call had failed", not w.saw(b"E") and w.saw(b"D"), w.saw(b"E")[:3])
    return c


class Store(Copy):
    """The service manager's part: NOTIFY_SOCKET, FDSTORE=1, and LISTEN_FDS at the next start."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fds = {}
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.work.path("notify"))
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.notify, 65536, 8)
            told = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
            if told.get("FDSTORE") == "1":
                self.fds.setdefault(told["FDNAME"], []).extend(fds)
            elif told.get("FDSTOREREMOVE") == "1":
                for fd in self.fds.pop(told["FDNAME"], []):
                    os.close(fd)

    def spawn(self, argv, log):
        kept = [(name, fd) for name, fds in self.fds.items() for fd in fds]
        high = [os.dup2(fd, 200 + i) for i, (_, fd) in enumerate(kept)]

        def place():
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
        env = g.environment(NOTIFY_SOCKET=self.work.path("notify"))
        if kept:
            env.update(LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=":".join(name for name, _ in kept))
            argv = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *argv]
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True,
                                  preexec_fn=place, pass_fds=range(3, 3 + len(kept)))
        for fd in high:
            os.close(fd)
        return daemon


def connections_wait_over_a_restart():
    with Case() as c:
        w = Waiting(c, Store)
        w.more()
        c.check("the service manager holds the agent's listeners", any(n.startswith("listen/1/") for n in c.gate.fds),
                list(c.gate.fds))
        for _ in range(3):
            c.gate.stop()
            # The connection that was open is cut, and the next one waits: nobody refuses it.
            sent = len(w.saw(b"S"))
            deadline = time.monotonic() + UNTIL_SECONDS
            while len(w.saw(b"E")) == 0 and len(w.saw(b"S")) <= sent and time.monotonic() < deadline:
                time.sleep(0.05)
            c.gate.start()
            w.more()
        ends = w.saw(b"E")
        c.check("no connection was refused", not [e for e in ends if "Refused" in e or "HTTP" in e], ends)
        c.check("each stop cut at most the one that was open", len(ends) <= 3, ends)
        # Descriptors that are not what their names say: none is taken, and the agent's listeners are made anew.
        c.gate.stop()
        for fd in c.gate.fds[sorted(n for n in c.gate.fds if n.startswith("listen/1/"))[0]]:
            os.dup2(c.gate.notify.fileno(), fd)
        c.gate.start()
        c.check("a false one is told and not used", c.gate.said("is no such listener") == 1 and c.gate.healthy(),
                c.gate.daemon_log()[-800:])
        w.end()
        c.check("and calls go on", w.saw(b"D"), w.saw(b"E"))
        c.gate.stop()
        verify = c.gate.tollgate("verify", "log", os.path.join(c.gate.state, "log"))
        c.check("the log verifies", verify.returncode == 0, verify.stdout + verify.stderr)
    return c


def a_stop_never_opens():
    """Neither a stop, nor an upgrade before it, lets an agent out; only an order that says so does, on record."""
    with Case() as c:
        w = Waiting(c, Copy)
        w.more()
        c.gate.upgrade(os.path.join(g.build_dir(), "tollgated"), programs=True)
        w.more()
        said = c.gate.tollgate("release")
        c.check("a release without --force is refused", said.returncode != 0 and "--force" in said.stderr + said.stdout,
                said.stderr)
        c.check("and nothing is released", c.gate.healthy())
        c.gate.stop()
        before, ends = w.arrived(), len(w.saw(b"E"))
        deadline = time.monotonic() + UNTIL_SECONDS
        while len(w.saw(b"E")) < ends + 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        c.check("stopped: the agent tries, and nothing arrives", len(w.saw(b"E")) >= ends + 5 and w.arrived() == before)
        new = subprocess.run([g.python(), w.host, c.work.path("new.log"), w.stop_file, "0", "http", str(w.port), "/mcp"],
                             env=g.environment(), timeout=UNTIL_SECONDS, check=False)
        c.check("stopped: another agent does not start", new.returncode == -signal.SIGKILL, new.returncode)
        c.gate.start()
        w.more()
        w.end()
        c.gate.released = c.gate.tollgate("release", "--force").returncode == 0
        c.check("a release with --force ends it", c.gate.released and c.gate.daemon.wait(UNTIL_SECONDS) == 0)
        last = [r.get("reason_code") for r in opened.Log(c.gate.state).records if r["entry_type"] == "node"]
        verify = c.gate.tollgate("verify", "log", os.path.join(c.gate.state, "log"))
        c.check("and the log, which verifies, says so", "released" in last and verify.returncode == 0, last[-5:])
    return c


if __name__ == "__main__":
    wanted = sys.argv[1:]
    tests = (upgraded_under_load, idle_proxies_are_replaced, what_cannot_take_over, connections_wait_over_a_restart,
             a_stop_never_opens)
    main(*[t for t in tests if not wanted or t.__name__ in wanted])
