#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What enrolment costs at beginnings: the takeover of a server, programs that an agent runs, and the system call hooks.
Run by scripts/bench, which compiles the programs; BENCH names their folder, QUICK=1 shortens everything."""
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peer"))
import gate as g  # noqa: E402

BENCH = os.path.abspath(os.environ["BENCH"])
QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 9
SERVERS = 10 if QUICK else 40
PROGRAMS = 100 if QUICK else 1000
CALLS = 10 if QUICK else 50

POLICY = """
permit (principal, action in [Action::"method", Action::"server/use", Action::"spawn"], resource);
"""

METHOD = f"""
Method. Medians of {ROUNDS} rounds in which the same program runs alternately as it is and enrolled (a copy of it that a
selector names). takeover: a server in C waits in read; time from the host's first write to the answer, {SERVERS}
servers a round, enrolled minus plain. spawn: /bin/ls with pipes for input and output, {PROGRAMS} times a round.
system call: getppid() of a plain process, without any scope and while one exists on the machine."""


def value(argv):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=600,
                          env=g.environment())
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return int(done.stdout)


def alternate(ways):
    """Median of each way, over rounds that go through all of them."""
    seen = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, argv in ways.items():
            seen[name].append(value(argv))
    return {name: statistics.median(v) for name, v in seen.items()}


def main():
    work = g.Workspace()
    gate = None
    try:
        host, server = os.path.join(BENCH, "start_host"), os.path.join(BENCH, "echo_server")
        agent = work.write("agent-host", open(host, "rb").read())
        os.chmod(agent, 0o755)
        gate = g.Gate(work, [{"name": "host", "exe": agent}], POLICY)
        gate.scan("bench", [server])
        gate.take_turn()
        without = value([host, "call", str(CALLS)])
        gate.start()
        t = alternate({w: [p, "first", str(SERVERS), "--", server] for w, p in (("plain", host), ("enrolled", agent))})
        print(f"takeover        first answer plain {t['plain'] / 1000:.0f} us, enrolled {t['enrolled'] / 1000:.0f} us   "
              f"= {(t['enrolled'] - t['plain']) / 1000:.0f} us a server, {t['enrolled'] / t['plain']:.1f} x", flush=True)
        t = alternate({w: [p, "spawn", str(PROGRAMS), "--", "/bin/ls", "/"] for w, p in (("plain", host), ("enrolled", agent))})
        print(f"spawn           ls plain {t['plain'] / 1000:.0f} us, enrolled {t['enrolled'] / 1000:.0f} us   "
              f"= {100 * (t['enrolled'] / t['plain'] - 1):+.1f} %", flush=True)
        keeper = subprocess.Popen([agent, "spawn", "1", "--", "/bin/cat"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=g.environment())
        work.processes.append(keeper)
        t = alternate({"plain": [host, "call", str(CALLS)], "enrolled": [agent, "call", str(CALLS)]})
        keeper.kill()
        print(f"system call     without a scope {without} ns, with one {t['plain']:.0f} ns, enrolled {t['enrolled']:.0f} ns",
              flush=True)
        print(METHOD)
    finally:
        if gate:
            gate.close()
        work.close()


if __name__ == "__main__":
    main()
