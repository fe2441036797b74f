#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Tollgate costs, as ratios within one run: beside a bare relay over stdio, beside nginx over HTTP, and in
memory. Run by scripts/bench, which compiles the programs; BENCH names their folder, QUICK=1 shortens everything."""
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peer"))
import gate as g  # noqa: E402

BENCH = os.path.abspath(os.environ["BENCH"])
QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 3
CALLS = 2000 if QUICK else 20000
BIG_CALLS = 50 if QUICK else 500
MIB = 1 << 20
JUDGED = 100 if QUICK else 500
SECONDS = 2 if QUICK else 5
CONVERSATIONS = 100
CPU = str(min(os.sched_getaffinity(0)))
OTHER_CPU = str(max(os.sched_getaffinity(0)))

POLICY = """
permit (principal, action in [Action::"method", Action::"server/use", Action::"spawn"], resource);
permit (principal is Agent, action in [Action::"bench/echo", Action::"web/echo"], resource);
"""

METHOD = f"""
Method. All figures are of this run, on this machine, one after the other, medians of {ROUNDS} rounds in which the
ways alternate; only ratios mean anything elsewhere. Policy, pin and record are on for every message.
stdio: a host in C makes {CALLS} tools/call of 256 bytes or 4 KiB ({BIG_CALLS} of 1 MiB), one after the other, to a
server in C, on pipes: directly; through a relay of two pipes that copies and looks at nothing (tests/bench/relay.c);
and, the same host enrolled, with Tollgate. What is compared is the added p50: p50 of the way minus p50 direct, and
the whole p50, which is the time the call takes. "one core": host, server, relay and Tollgate bound to one core; "free":
wherever the scheduler puts them. Processor time (which other programs on the machine disturb least) and
switches (how often a process had to be put on a processor, by a wake-up or after it was preempted; a call and its
answer are two messages) are the relay's, and those of all processes of Tollgate together, the log's among them.
HTTP: wrk, 1 thread, 32 keep-alive connections, {SECONDS} s, POST of a 1 KiB tools/call; the origin is one C process.
nginx is one worker with proxy_pass and keep-alive upstream. nginx and Tollgate each have one core, wrk and the
origin go where the scheduler puts them.
instructions: of the judgement of one call and its answer, counted by callgrind (the difference of two counts of
calls, SHA-256 without special instructions); beside them what tests/bench/baseline has, which is no other machine's time.
memory: proportional set size of all daemon processes with {CONVERSATIONS} open stdio conversations, each of which
made one call, and the growth against none."""


def run(argv, cpu=None):
    prefix = ["taskset", "-c", cpu] if cpu else []
    done = subprocess.run(prefix + argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
                          timeout=600, env=g.environment())
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def p50(argv, cpu):
    return int(run(argv, cpu).split()[0]) / 1000


def spent(pids):
    """How often processes were put on a processor, and their time there in nanoseconds."""
    switches = cpu = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # an injector ends after its takeover
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
                cpu += int(f.read().split()[0])
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                switches += sum(int(l.split()[1]) for l in f if "ctxt_switches:" in l)
    return switches, cpu


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [pid, *map(int, f.read().split())]


def judged_instructions():
    """Instructions a judged call, for each message of the baseline, beside it. A regression shows on any machine."""
    baseline = os.path.join(g.ROOT, "tests", "bench", "baseline")
    with open(baseline, encoding="ascii") as f:
        known = dict(line.split() for line in f if not line.startswith("#"))
    for message, before in known.items():
        counts = [instructions(message, n) for n in (JUDGED, 2 * JUDGED)]
        now = (counts[1] - counts[0]) / JUDGED
        print(f"instructions    {message:<8} {now:8.0f} a call and answer   baseline {before}   "
              f"{(now / int(before) - 1) * 100:+.1f} %", flush=True)


def instructions(message, count):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           os.path.join(BENCH, "gate_bench"), message, str(count)], capture_output=True, text=True,
                          check=True, env=g.environment(OPENSSL_ia32cap="0:0"))
    return int(next(l for l in done.stderr.splitlines() if "Collected" in l).split(":")[1])


class Bench:
    def __init__(self):
        self.work = g.Workspace()
        copy = shutil.copy
        self.host, self.relay, self.server, self.origin = (os.path.join(BENCH, n) for n in
                                                           ("echo_host", "relay", "echo_server", "origin"))
        # The enrolled programs are copies: the selector is the path, so the plain ones stay outside.
        self.agent_host = copy(self.host, self.work.path("agent-host"))
        self.agent_wrk = copy(shutil.which("wrk"), self.work.path("agent-wrk"))
        self.port, self.nginx_port = g.free_port(), g.free_port()
        self.gate = None

    def start_gate(self, cpu):
        """A daemon of its own for each part, bound to the cores that the part allows."""
        agents = [{"name": "host", "exe": self.agent_host}, {"name": "wrk", "exe": self.agent_wrk}]
        if self.gate is None:
            self.gate = g.Gate(self.work, agents, POLICY)
            self.gate.scan("bench", [self.server])
            self.gate.scan("web", url=f"http://127.0.0.1:{self.port}/mcp")
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(cpu)} if cpu else before)
        try:
            self.gate.start()
        finally:
            os.sched_setaffinity(0, before)

    def stdio(self, name, cpu, size, calls):
        self.start_gate(cpu)
        ways = {"direct": [self.host, str(calls), str(size), "--", self.server],
                "relay": [self.host, str(calls), str(size), "--", self.relay, self.server],
                "tollgate": [self.agent_host, str(calls), str(size), "--", self.server]}
        times, costs = {w: [] for w in ways}, {"relay": [], "tollgate": []}
        os.environ["RELAY_SPENT"] = self.work.path("spent")
        for _ in range(ROUNDS):
            for way, argv in ways.items():
                before = spent(self.pids())
                times[way].append(p50(argv, cpu))
                if way == "tollgate":
                    costs[way].append([b - a for a, b in zip(before, spent(self.pids()))])
            with open(self.work.path("spent"), encoding="ascii") as f:
                costs["relay"].append(list(map(int, f.read().split())))
        self.gate.stop()
        t = {w: statistics.median(v) for w, v in times.items()}
        relay, tollgate = t["relay"] - t["direct"], t["tollgate"] - t["direct"]
        ratio = f"{tollgate / relay:.2f} x relay" if relay > 0 else "no ratio: the relay added nothing"
        what = f"stdio, {name}, {size >> 20} MiB" if size >= MIB else f"stdio, {name}, {size} B"
        print(f"{what:<25} p50 direct {t['direct']:7.1f} us   added by relay {relay:7.1f} us   "
              f"added by Tollgate {tollgate:7.1f} us   = {ratio}", flush=True)
        (switches_r, cpu_r), (switches_t, cpu_t) = ([statistics.median(c[i] for c in costs[w]) / calls for i in (0, 1)]
                                              for w in ("relay", "tollgate"))
        print(f"{'':<25} whole p50: {t['tollgate'] / t['relay']:.2f} x relay   processor time a call: relay "
              f"{cpu_r / 1000:.1f} us, Tollgate {cpu_t / 1000:.1f} us = {cpu_t / cpu_r:.2f} x   "
              f"switches a message: {switches_r / 2:.2f}, {switches_t / 2:.2f}", flush=True)

    def pids(self):
        return {self.gate.daemon.pid, *self.gate.left_processes()}

    def start_nginx(self):
        config = self.work.write("nginx.conf", f"""daemon off; worker_processes 1; pid {self.work.path('nginx.pid')};
error_log {self.work.path('nginx.error')} warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000; client_body_buffer_size 16k;
    client_body_temp_path {self.work.path('t1')}; proxy_temp_path {self.work.path('t2')};
    fastcgi_temp_path {self.work.path('t3')}; uwsgi_temp_path {self.work.path('t4')}; scgi_temp_path {self.work.path('t5')};
    upstream origin {{ server 127.0.0.1:{self.port}; keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{self.nginx_port};
        location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
""")
        nginx = self.work.start(["taskset", "-c", OTHER_CPU, shutil.which("nginx") or "/usr/sbin/nginx", "-c", config,
                                 "-e", self.work.path("nginx.error")])
        g.wait_for_port(self.nginx_port)
        return nginx

    def wrk(self, program, port):
        lua = os.path.join(g.ROOT, "tests", "bench", "post.lua")
        out = run([program, "-t1", "-c32", f"-d{SECONDS}s", "-s", lua, f"http://127.0.0.1:{port}/mcp"])
        rate, median, errors = next(l.split()[1:] for l in out.splitlines() if l.startswith("BENCH"))
        if int(errors):
            raise RuntimeError(f"wrk saw {errors} errors: {out[-400:]}")
        return float(rate), float(median)

    def http(self):
        nginx = self.start_nginx()
        self.start_gate(OTHER_CPU)
        ways = {"direct": ("wrk", self.port), "nginx": ("wrk", self.nginx_port), "tollgate": (self.agent_wrk, self.port)}
        rates, cpu = {w: [] for w in ways}, {w: [] for w in ways}
        for _ in range(ROUNDS):
            for way, (program, port) in ways.items():
                pids = self.pids() if way == "tollgate" else children(nginx.pid)
                before = spent(pids)[1]
                rates[way].append(self.wrk(program, port)[0])
                cpu[way].append((spent(pids)[1] - before) / (rates[way][-1] * SECONDS) / 1000)
        self.gate.stop()
        self.work.stop(nginx)
        r = {w: statistics.median(v) for w, v in rates.items()}
        print(f"HTTP, 1 KiB     direct {r['direct']:9.0f}/s   nginx {r['nginx']:9.0f}/s   Tollgate {r['tollgate']:9.0f}/s"
              f"   = {r['tollgate'] / r['nginx']:.2f} x nginx, {r['tollgate'] / r['direct']:.2f} x direct")
        c = {w: statistics.median(v) for w, v in cpu.items()}
        print(f"{'':<25} processor time a request: nginx {c['nginx']:.1f} us, Tollgate {c['tollgate']:.1f} us = "
              f"{c['tollgate'] / c['nginx']:.2f} x", flush=True)

    def resident(self):
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += next((int(l.split()[1]) for l in f if l.startswith("Pss:")), 0)
        return total

    def memory(self):
        self.start_gate(None)
        subprocess.run([self.agent_host, "10", "64", "--", self.server], check=True, stdout=subprocess.DEVNULL,
                       stdin=subprocess.DEVNULL)
        before = self.resident()
        host = subprocess.Popen([self.agent_host, "hold", str(CONVERSATIONS), "--", self.server], text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if host.stdout.readline().strip() != "ready":
            raise RuntimeError("the conversations did not open")
        at = self.resident()
        host.stdin.close()
        host.wait(60)
        self.gate.stop()
        print(f"memory          {before / 1024:.1f} MiB without conversations, {at / 1024:.1f} MiB at {CONVERSATIONS}"
              f"   = {(at - before) / CONVERSATIONS:.1f} KiB each", flush=True)

    def close(self):
        if self.gate:
            self.gate.close()
        self.work.close()


def main():
    b = Bench()
    try:
        b.work.start([b.origin, str(b.port)])
        g.wait_for_port(b.port)
        print(f"Tollgate bench: Linux {platform.release()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        for size, calls in ((256, CALLS), (4096, CALLS), (MIB, BIG_CALLS)):
            b.stdio("one core", CPU, size, calls)
            b.stdio("free", None, size, calls)
        b.http()
        judged_instructions()
        b.memory()
    finally:
        print(METHOD)
        b.close()


if __name__ == "__main__":
    main()
