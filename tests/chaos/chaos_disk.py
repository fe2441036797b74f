#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log's disk is full, and later its directory is gone: calls are denied with a reason, none of them arrives, what
was recorded is kept, and when there is room again calls go on."""
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "peer"), HERE]
import gate as g  # noqa: E402
import opened  # noqa: E402
from case import Case, allow, main  # noqa: E402

POLICY = """permit (principal, action in [Action::"server/use", Action::"spawn", Action::"method"], resource);
""" + allow("stdio-server/echo")
TRIES = 60  # of calls until the state of the disk is felt: the ring takes some before the notary meets it


class Disk:
    def __init__(self, c):
        self.c, self.serial, self.sent, self.pids = c, 0, [], []
        self.state = c.work.path("state")
        os.makedirs(self.state)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tollgate-test", self.state], check=True)
        self.host = shutil.copy(os.path.join(TESTS, "scene", "host.py"), c.work.path("host.py"))
        self.server = shutil.copy(os.path.join(TESTS, "scene", "server.py"), c.work.path("server.py"))
        c.gate = g.Gate(c.work, [{"name": "disk", "exe": g.python(), "script": self.host}], POLICY,
                        off=bool(os.environ.get("TOLLGATE_OFF")))
        if not c.gate.off:
            c.gate.scan("stdio-server", [g.python(), self.server])
        c.gate.start()

    def call(self):
        """One conversation with one call; its answer as text, "" when there was none."""
        self.serial += 1
        line = ('{"jsonrpc":"2.0","id":"c%d","method":"tools/call","params":{"name":"echo","arguments":{"text":"%s"}}}' %
                (self.serial, "x" * 2000))
        self.c.work.write("script", f"send {line}\nwait 1\n")
        process = subprocess.Popen([g.python(), self.host, self.c.work.path("script"), "stdio", g.python(), self.server],
                                   cwd=self.c.work.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   env=g.environment())
        self.sent.append(line.encode())
        self.pids.append(process.pid)
        return process.communicate(timeout=g.CALL_SECONDS)[0]

    def arrived(self):
        with open(self.c.work.path("server.log"), "rb") as f:
            return [line[:-1] for line in f if b'"id":"c' in line]

    def until(self, wanted):
        for _ in range(TRIES):
            said = self.call()
            if wanted(said):
                return said
            time.sleep(0.2)
        return said

    def close(self):
        subprocess.run(["umount", "-l", self.state], check=False)


def works(said):
    return '"result"' in said


def denied(said):
    return '"result"' not in said


def full_disk():
    with Case() as c:
        disk = Disk(c)
        try:
            c.check("a call works", works(disk.call()))
            filler = os.path.join(disk.state, "filler")
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(bytes(4096)):
                        pass
                except OSError as error:
                    print(f"the disk: {error.strerror}", flush=True)
            said = disk.until(denied)
            c.check("a full disk: calls are denied", denied(said), said)
            before = len(disk.arrived())
            said = disk.call()
            c.check("and none arrives", denied(said) and len(disk.arrived()) == before, said)
            if not c.gate.off:
                # The notary has no room for the end of its last session, or it has none for its next one's begin.
                killed_meanwhile(c, "supervisor", "reset ring 0: No space left on device; it is tried again",
                                 "begin the node's session: No space left on device; it is tried again")
                killed_meanwhile(c, "notary", "open log: No space left on device; it is tried again")
            os.unlink(filler)
            c.check("room again: calls go on", works(disk.until(works)))
            if not c.gate.off:
                c.check("and no role ended but those killed", c.gate.daemon_log().count(" ended: signal ") ==
                        c.gate.daemon_log().count(" ended: signal 9"), c.gate.daemon_log()[-1000:])
                after_all(c, disk)
        finally:
            if c.gate.daemon:
                c.gate.hand_back()
            disk.close()
    return c


def killed_meanwhile(c, role, *said):
    """A role that cannot begin in the log waits for it, and the node does not end."""
    def waits():
        return sum(c.gate.daemon_log().count(text) for text in said)
    before = waits()
    for pid in c.gate.left_processes():
        if f"--role {role} " in g.command_line(pid):
            os.kill(pid, signal.SIGKILL)
    for _ in range(TRIES):
        if c.gate.daemon.poll() is not None or waits() > before:
            break
        time.sleep(0.2)
    c.check(f"a {role} killed meanwhile waits for room", c.gate.daemon.poll() is None and
            waits() > before, c.gate.daemon_log()[-500:])


def after_all(c, disk):
    c.gate.stop()
    verify = c.gate.tollgate("verify", "log", os.path.join(disk.state, "log"))
    c.check("the log verifies", verify.returncode == 0, verify.stdout + verify.stderr)
    log = opened.Log(disk.state)
    records = [r for pid in disk.pids for r in log.by_agent(pid)]
    found, strange, twice = opened.match(log, records, "request_payload_hash", opened.REQUEST, disk.sent)
    allowed = {disk.sent[i] for i, r in found.items() if r["policy_decision"] == "allow"}
    missing = set(disk.arrived()) - allowed
    c.check("each call that arrived is in it, once", not missing and not strange and not twice,
            [str(x)[:300] for x in (missing, strange, twice)])
    c.check("and the outage, too", any(r.get("reason_code") == "storage_failed" for r in log.records))


def removed_log():
    with Case() as c:
        disk = Disk(c)
        try:
            c.check("a call works", works(disk.call()))
            shutil.rmtree(os.path.join(disk.state, "log"))
            said = disk.until(denied)
            c.check("the log's directory is gone: calls are denied", denied(said), said)
            before = len(disk.arrived())
            said = disk.call()
            c.check("and none arrives", denied(said) and len(disk.arrived()) == before, said)
            if not c.gate.off:
                c.gate.stop()
                c.gate.start()
            c.check("started anew, with a new log: calls go on", works(disk.until(works)))
        finally:
            if c.gate.daemon:
                c.gate.hand_back()
            disk.close()
    return c


if __name__ == "__main__":
    main(full_disk, removed_log)
