#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything at once, at random, under load: chaos_all.py, CHAOS_SECONDS (default 60; half of them are used by the short
form), CHAOS_SEED (printed), CHAOS_WAYS (names, a name twice: twice as often).

Roles and keeper killed, roles that stand still, stops and starts, upgrades, kernel programs replaced, links detached and
pins removed, the map of connections full, events flooded, the disk full. Then the origins' own logs, what the hosts saw
and the records are laid side by side, one to one. Links are only detached where that refuses connections: of those
whose loss would let them pass, tests/probe/probe_health shows that it is told.
"""
import contextlib
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "peer"), os.path.join(TESTS, "probe"), HERE]
import chaos_kill as kill  # noqa: E402
import chaos_upgrade as upgrade  # noqa: E402
import gate as g  # noqa: E402
import pins  # noqa: E402
from case import main  # noqa: E402

SECONDS = kill.SECONDS / 2 if kill.SECONDS <= 60 else kill.SECONDS
WAYS = os.environ.get("CHAOS_WAYS", "role role role keeper stall stall restart upgrade upgrade programs detach unpin "
                                    "flows events disk").split()
ROLES = ("proxy", "notary", "supervisor", "injector", "query", "canary")
# Without these no record of a steered connection arrives, so it is refused.
REFUSING = (("scopes", "sockops_client"), ("daemon", "sockops_server"), ("daemon", "getsockopt_origin"))
# Promises that these hosts do not try, and what only masks a name.
ASIDE = ("getpeername4_mask", "getpeername6_mask", "sendmsg4_fence", "sendmsg6_fence", "device_fence", "post_bind6_fence")
DISK_BYTES = (64 << 20) + int(SECONDS) * (1 << 20)  # the log of all that, and some room


class Everything(kill.Stage):
    gate_class = upgrade.Copy

    def __init__(self):
        super().__init__(ROLES, SECONDS, durability="written")
        self.mounted = not self.gate.off and "disk" in WAYS
        if self.mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tollgate-test", self.gate.state], check=True)

    def close(self):
        super().close()
        if self.mounted:
            subprocess.run(["umount", "-l", self.gate.state], check=False)

    def kill(self):
        way = self.random.choice(WAYS)
        done = getattr(self, "do_" + way)()
        if done is not False:
            self.killed[done or way] += 1

    def pins(self, *below):
        return pins.path(self.gate.run_dir, *below)

    def some(self, name):
        victims = sorted(self.gate.roles(name))
        return self.random.choice(victims) if victims else None

    def while_it_lasts(self):
        time.sleep(self.random.uniform(0.3, 1.5))

    # --- processes ----------------------------------------------------------------------------------------------

    def do_role(self):
        name = self.random.choice(self.roles)
        pid = self.some(name)
        if not pid:
            return False
        os.kill(pid, signal.SIGKILL)
        return name

    def do_keeper(self):
        self.kill_keeper()

    def do_stall(self):
        """It stands still for a while, and nobody is told."""
        name = self.random.choice(self.roles)
        pid = self.some(name)
        if not pid:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.while_it_lasts()
            os.kill(pid, signal.SIGCONT)
        return f"stalled {name}"

    def do_restart(self):
        self.gate.stop()
        self.gate.start()

    def do_upgrade(self, programs=False):
        self.gate.upgrade(os.path.join(g.build_dir(), "tollgated"), programs)
        self.damaged = False

    def do_programs(self):
        self.do_upgrade(True)

    # --- the kernel's side ----------------------------------------------------------------------------------------

    damaged = False

    def links(self, names):
        found = []
        for base, _, files in os.walk(self.pins()):
            found += [os.path.join(base, f) for f in files
                      for where, name in names if f == name and f"/{where}" in base[len(self.pins()):]]
        return sorted(found)

    def a_link(self):
        links = self.links(REFUSING + tuple(("scopes", a) for a in ASIDE))
        return self.random.choice(links) if links else None

    def do_detach(self):
        """A restart, an upgrade or a killed supervisor attaches it again; one comes at the latest at the end."""
        link = self.a_link()
        if not link:
            return False
        pins.detach(link)
        self.damaged = True
        return None

    def do_unpin(self):
        link = self.a_link()
        if not link:
            return False
        os.unlink(link)
        self.damaged = True
        return None

    def do_flows(self):
        """The map that records of connections wait in is full: they are refused."""
        with pins.filled(self.pins("maps", "flows"), 32, 96):
            self.while_it_lasts()

    def do_events(self):
        """More refusals than the ring of events takes, from inside a scope."""
        scope = self.gate.cgroups()
        if not scope:
            return False
        flood = subprocess.Popen([g.python(), "-c", FLOOD], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=g.environment())
        with contextlib.suppress(OSError):
            with open(os.path.join(scope[-1], "cgroup.procs"), "w", encoding="ascii") as f:
                f.write(str(flood.pid))
        flood.stdin.close()
        flood.wait(60)
        return None

    def do_disk(self):
        filler = os.path.join(self.gate.state, "filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as f:
            while f.write(bytes(65536)):
                pass
        self.while_it_lasts()
        os.unlink(filler)

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self):
        if not self.gate.off and self.damaged:
            self.do_upgrade()
        super().finish()


FLOOD = """
import socket, sys
sys.stdin.read()
for _ in range(4000):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(b"x", ("127.0.0.1", 9))
        except OSError:
            pass
"""


def everything_at_random():
    return kill.play(Everything())


if __name__ == "__main__":
    main(everything_at_random)
