#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Roles are killed at random under load: chaos_kill.py [TEST...], CHAOS_SECONDS (default 60), CHAOS_SEED (printed),
CHAOS_ROLES (who is killed, a name twice: twice as often).

A daemon, hosts over stdio and HTTP that call without pause, and one kill -9 after another of a role. Then the origins'
own logs, what the hosts saw and the records are laid side by side. Then the same with the keeper among them, which the
test starts again as a service manager does: the next one adopts the kernel programs and the log. The rings die with a
keeper, so records are written before anything moves on there (durability: written). TOLLGATE_OFF=1 shows the fixtures
alone: what policy forbids then arrives, and the checks that say so fail.
"""
import collections
import json
import os
import random
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
from case import main  # noqa: E402

POLICY = """@id("conversation")
permit (principal, action in [Action::"server/use", Action::"spawn", Action::"method/initialize"], resource);
@id("echo-only")
permit (principal, action in [Action::"stdio-server/echo", Action::"http-server/echo"], resource);
"""
SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", str(time.time_ns() % 1000000)))
ROLES = os.environ.get("CHAOS_ROLES", "proxy proxy notary notary supervisor supervisor injector query").split()
KEEPER_ROLES = ["keeper", "keeper", "proxy", "notary", "supervisor"]
KEEPER_SHARE = 0.5  # of the seconds
# Agent, transport, and after how many calls it begins anew: a role is to be met in every step of a beginning, too.
HOSTS = (("left", "stdio", 0), ("right", "stdio", 0), ("left", "stdio", 10), ("right", "stdio", 3),
         ("left", "http", 0), ("right", "http", 20))
ROLE_SECONDS = 20  # until the roles of a killed keeper have ended
END_SECONDS = 180  # until all hosts had their last conversation
AGAIN_MS = 30000  # far above what is promised (5 s), which the printed figure shows; this machine may be busy


class Host:
    """One host program, what it saw, and the log of the origin that it alone talks to."""

    def __init__(self, stage, number):
        agent, transport, calls = HOSTS[number]
        self.http = transport == "http"
        self.dir = stage.work.path(f"host{number}")
        os.makedirs(self.dir)
        self.name = f"host {number} ({agent}, {transport}, {calls or 'unlimited'} calls)"
        self.log = os.path.join(self.dir, "host.log")
        server = [g.python(), stage.server]
        if self.http:
            peer = ["http", str(stage.port), "/mcp"]
            self.origin = stage.http_origin
        else:
            peer = ["stdio", *server]
            self.origin = os.path.join(self.dir, "server.log")
        self.process = subprocess.Popen([g.python(), stage.programs[agent], self.log, stage.stop_file, str(calls), *peer], cwd=self.dir,
                                        env=g.environment(), stdin=subprocess.DEVNULL, start_new_session=True,
                                        stderr=open(os.path.join(self.dir, "stderr"), "wb"))
        stage.work.processes.append(self.process)

    def saw(self, kind):
        with open(self.log, "rb") as f:
            return [line[2:-1] for line in f if line[:1] == kind and line.endswith(b"\n")]

    def at_origin(self):
        """The messages of this host in the origin's log, in order."""
        if not os.path.exists(self.origin):
            return []
        mark = f'"id": "{self.process.pid}-'.encode()
        with open(self.origin, "rb") as f:
            return [line[:-1] for line in f if mark in line or not self.http]


class Stage:
    gate_class = g.Gate

    def __init__(self, roles, seconds, **settings):
        self.roles, self.seconds = roles, seconds
        self.work = g.Workspace()
        self.random = random.Random(SEED)
        self.stop_file, self.failed = self.work.path("stop"), 0
        # Two agents: proxies share the agents out.
        self.programs = {a: shutil.copy(os.path.join(HERE, "host.py"), self.work.path(a + ".py")) for a in ("left", "right")}
        self.server = shutil.copy(os.path.join(TESTS, "scene", "server.py"), self.work.path("server.py"))
        self.http_origin = self.work.path("http", "server.log")
        os.makedirs(self.work.path("http"))
        self.port = g.free_port()
        self.gate = self.gate_class(self.work, [{"name": a, "exe": g.python(), "script": p}
                                       for a, p in self.programs.items()], POLICY, off=bool(os.environ.get("TOLLGATE_OFF")),
                           **settings)
        self.hosts, self.killed, self.lingered = [], collections.Counter(), []

    def check(self, name, holds, seen=""):
        self.failed += not holds
        print(f"ok {name}" if holds else f"FAIL {name}: {str(seen)[:1500]}", flush=True)

    def open(self):
        origin = subprocess.Popen([g.python(), self.server, "--http", str(self.port)], cwd=self.work.path("http"),
                                  stdin=subprocess.DEVNULL, env=g.environment(), start_new_session=True,
                                  stderr=subprocess.DEVNULL)  # it complains of connections that a killed role cut
        self.work.processes.append(origin)
        g.wait_for_port(self.port)
        if not self.gate.off:
            self.gate.scan("stdio-server", [g.python(), self.server])
            self.gate.scan("http-server", url=f"http://127.0.0.1:{self.port}/mcp")
        os.unlink(self.http_origin)  # the scan's own messages
        self.gate.start()
        self.hosts = [Host(self, n) for n in range(len(HOSTS))]

    def kill_keeper(self):
        """The roles notice and end; what does not is ended as a service manager would, before it starts anew."""
        os.kill(self.gate.daemon.pid, signal.SIGKILL)
        self.gate.daemon.wait()
        deadline = time.monotonic() + ROLE_SECONDS
        while self.gate.left_processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.gate.left_processes():
            self.lingered.append(g.command_line(pid))
            os.kill(pid, signal.SIGKILL)
        while self.gate.left_processes():
            time.sleep(0.05)
        self.gate.start()

    def kill(self):
        role = self.random.choice(self.roles)
        if role == "keeper":
            self.kill_keeper()
            self.killed[role] += 1
            return
        victims = [p for p in self.gate.left_processes() if f"--role {role} " in g.command_line(p)]
        if victims:
            os.kill(self.random.choice(victims), signal.SIGKILL)
            self.killed[role] += 1

    def storm(self):
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline:
            time.sleep(self.random.uniform(0.1, 1.5))
            if not self.gate.off:
                self.kill()
                if self.gate.daemon.poll() is not None:
                    raise RuntimeError(f"the daemon ended with {self.gate.daemon.returncode}: {self.gate.daemon_log()[-1500:]}")

    def finish(self):
        """The hosts end by themselves, each after a last conversation that worked."""
        self.work.write("stop", "")
        deadline = time.monotonic() + END_SECONDS
        for host in self.hosts:
            try:
                host.process.wait(max(1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass

    def close(self):
        self.gate.close()
        left = self.gate.left_behind() if self.gate.daemon else []
        self.check("no scope is left behind", not left, left)
        self.work.close()

    # --- what must hold ---------------------------------------------------------------------------------------

    def judge_host(self, host, log):
        sent, got = host.saw(b"S"), host.saw(b"R")
        ends, origin = host.saw(b"E"), host.at_origin()
        answers = [a for a in got if b'"result"' in a]
        self.check(f"{host.name}: its last conversation works", host.saw(b"D"), ends[-3:])
        self.check(f"{host.name}: every call ended in an answer, an error or an end",
                   not [e for e in ends if e.startswith(b"HANG")] and len(got) + len(ends) >= len(sent),
                   [len(sent), len(got), len(ends), ends[-3:]])
        again = [int(t) for t in host.saw(b"T")] or [0]
        self.check(f"{host.name}: a new conversation works soon", max(again) <= AGAIN_MS, max(again))
        self.check(f"{host.name}: nothing ran twice", len(set(origin)) == len(origin),
                   [k for k, n in collections.Counter(origin).items() if n > 1][:3])
        self.check(f"{host.name}: nothing that is forbidden arrived", not [o for o in origin if b'"wipe"' in o],
                   [o for o in origin if b'"wipe"' in o][:3])
        self.check(f"{host.name}: no forbidden call has a result",
                   not set(self.ids(l for l in sent if b'"wipe"' in l)) & set(self.ids(answers)))
        if not self.gate.off:
            self.judge_records(host, log, sent, origin, answers)
        print(f"{host.name}: {len(sent)} messages sent, {len(origin)} arrived, {len(answers)} results, "
              f"{len(ends)} ends, at most {max(again)} ms without an answer; the longest wait for one was "
              f"{(host.saw(b'W') or [b'?'])[0].decode()} ms", flush=True)

    def judge_records(self, host, log, sent, origin, answers):
        records = log.by_agent(host.process.pid)
        found, strange, twice = opened.match(log, records, "request_payload_hash", opened.REQUEST, sent)
        allowed = {sent[i] for i, r in found.items() if r["policy_decision"] == "allow"}
        self.check(f"{host.name}: each record is of one message that was sent", not strange and not twice,
                   [strange[:2], twice[:2]])
        self.check(f"{host.name}: each message at the origin has its record, and that allows it",
                   set(origin) <= allowed, sorted(set(origin) - allowed)[:3])
        # What was recorded and did not arrive was in flight when a role died, so the host got no result for it.
        lost = allowed - set(origin)
        self.check(f"{host.name}: what is recorded arrived, or its call ended without a result",
                   not set(self.ids(lost)) & set(self.ids(answers)), sorted(lost)[:3])
        found, strange, twice = opened.match(log, records, "response_payload_hash", opened.RESPONSE, answers)
        self.check(f"{host.name}: each result has its record", len(found) == len(answers) and not twice,
                   [answers[i] for i in range(len(answers)) if i not in found][:3])

    @staticmethod
    def ids(lines):
        return [json.loads(line).get("id") for line in lines]

    def judge(self):
        log = None
        if not self.gate.off:
            if not self.killed["keeper"]:
                self.check("the keeper outlived all of it", self.gate.daemon.poll() is None)
            self.check("no role outlived its keeper", not self.lingered, self.lingered[:5])
            self.gate.stop()  # in order: what is in the rings is written
            verify = self.gate.tollgate("verify", "log", os.path.join(self.gate.state, "log"), seconds=600)
            self.check("the log verifies", verify.returncode == 0, verify.stdout[-800:] + verify.stderr[-800:])
            log = opened.Log(self.gate.state)
        for host in self.hosts:
            self.judge_host(host, log)


def play(stage):
    print(f"CHAOS_SEED={SEED}, {stage.seconds:.0f} s", flush=True)
    try:
        stage.open()
        stage.storm()
        print("killed: " + ", ".join(f"{n} x {role}" for role, n in sorted(stage.killed.items())), flush=True)
        stage.finish()
        stage.judge()
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        stage.check("the test ran to its end", False, f"{type(error).__name__}: {error}")
    finally:
        if stage.failed:
            print("the daemon's last words:\n" + stage.gate.daemon_log()[-3000:])
        stage.close()
    return stage


def roles_killed_at_random():
    return play(Stage(ROLES, SECONDS))


def keepers_killed_at_random():
    return play(Stage(KEEPER_ROLES, KEEPER_SHARE * SECONDS, durability="written"))


if __name__ == "__main__":
    wanted = sys.argv[1:]
    main(*[t for t in (roles_killed_at_random, keepers_killed_at_random) if not wanted or t.__name__ in wanted])
