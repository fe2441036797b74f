#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Conversations and the life of the daemon: reload in the middle, hosts from before the start, stop, modes."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import gate as g
from case import Case, allow, main, refused, text

HERE = os.path.dirname(os.path.abspath(__file__))
ADD = 'call add_entry {"line":"kept"}'
WIPE = "call wipe_ledger"


def ledger_case(**settings):
    c = Case(["host.mjs", "logged-server.mjs"], **settings)
    c.log = c.work.path("ledger.log")
    c.servers["ledger"] = {"command": "node", "args": [c.programs["logged-server.mjs"], c.log]}
    return c


def wiped(c):
    return [l for l in g.json_lines(c.log) if "wipe_ledger" in (l.get("tool"), l.get("ran"))]


def background(c, *steps):
    """The host, still running while the test goes on; finish() gives its lines."""
    out = open(c.work.path("background.out"), "wb+")
    process = subprocess.Popen([c.interpreter, c.host, c.mcp_json, "ledger", *steps], cwd=c.work.dir, env=g.environment(),
                               stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    c.work.processes.append(process)

    def finish():
        process.wait(g.CALL_SECONDS)
        out.close()
        return g.json_lines(c.work.path("background.out"))
    return finish


def wait_for_log(c, what, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(what == l.get("ran") for l in g.json_lines(c.log)):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server never ran {what}")


def reload_in_the_middle():
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry", "ledger/wipe_ledger"))
        go = c.work.path("go")
        finish = background(c, ADD, f"until {go}", WIPE, 'call add_entry {"line":"after"}')
        wait_for_log(c, "add_entry")
        from case import CONVERSATION
        done = c.gate.reload(CONVERSATION + allow("ledger/add_entry"))
        c.check("the reload is taken", done.returncode == 0, done.stderr)
        c.work.write("go", "")
        lines = finish()
        c.check("an open conversation is judged by the new policy", refused(g.step(lines, WIPE)) and not wiped(c), lines)
        c.check("and goes on", text(g.step(lines, 'call add_entry {"line":"after"}')) == "added: after", lines)
        epochs = {r.get("policy_epoch") for r in c.gate.records() if r.get("entry_type") == "tool_call"}
        c.check("its records carry two epochs", len(epochs) == 2, sorted(map(str, epochs)))
    return c


def host_from_before():
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry"), start=False)
        go = c.work.path("go")
        finish = background(c, ADD, f"until {go}", WIPE, 'call add_entry {"line":"after"}')
        wait_for_log(c, "add_entry")
        c.gate.start()
        time.sleep(1)
        c.work.write("go", "")
        lines = finish()
        c.check("a conversation from before the start is taken over: its next denied call does not arrive",
                not wiped(c) and not text(g.step(lines, WIPE)), lines)
        c.check("and its allowed calls do", text(g.step(lines, 'call add_entry {"line":"after"}')) == "added: after", lines)
    return c


def stopped():
    """After SIGTERM the gates are closed: starting the host then gains nothing. After a release it works again."""
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry", "ledger/wipe_ledger"))
        c.check("it works while the daemon runs", text(g.step(c.run("ledger", ADD), ADD)) == "added: kept")
        c.gate.stop()
        mark = len(g.json_lines(c.log))
        lines = c.run("ledger", ADD)
        c.check("stopped: no call arrives", not [l for l in g.json_lines(c.log)[mark:] if "method" in l], lines)
        c.gate.start()
        c.check("started again: it works", text(g.step(c.run("ledger", ADD), ADD)) == "added: kept")
        verify = c.gate.tollgate("verify", "log", os.path.join(c.gate.state, "log"))
        c.check("the log of both runs verifies", verify.returncode == 0, verify.stdout + verify.stderr)
        refusal = c.gate.tollgate("release")
        c.check("release asks for --force when enforcing", refusal.returncode != 0, refusal.stdout)
        done = c.gate.tollgate("release", "--force")
        c.check("release --force is taken", done.returncode == 0, done.stderr)
        c.gate.stop()
        c.check("released: the host works as without", text(g.step(c.run("ledger", ADD), ADD)) == "added: kept")
    return c


def killed():
    """A role that dies is restarted; while it is down nothing gets through, and afterwards the verdicts are the same."""
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry"))
        for role in ("proxy", "notary", "query", "injector", "supervisor"):
            finish = background(c, ADD, "sleep 1500", WIPE)
            time.sleep(0.7)
            for pid in c.gate.left_processes():
                if f"--role {role} " in g.command_line(pid):
                    os.kill(pid, signal.SIGKILL)
            finish()
            deadline = time.monotonic() + 20
            while (text(g.step(lines := c.run("ledger", ADD, WIPE), ADD)) != "added: kept" and
                   time.monotonic() < deadline):
                time.sleep(0.5)
            c.check(f"{role} killed: it comes back, and allows and denies as before",
                    text(g.step(lines, ADD)) == "added: kept" and refused(g.step(lines, WIPE)), lines)
            c.check(f"{role} killed: nothing got through meanwhile", not wiped(c), wiped(c))
        verify = c.gate.tollgate("verify", "log", os.path.join(c.gate.state, "log"))
        c.check("the log verifies after all of it", verify.returncode == 0, verify.stdout + verify.stderr)
    return c


def modes():
    failed = None
    for mode, decision in (("advisory", "advisory_deny"), ("silent", "advisory_deny")):
        with ledger_case(mode=mode) as c:
            c.use(policy=allow("ledger/add_entry"))
            lines = c.run("ledger", ADD, WIPE)
            c.check(f"{mode}: what policy denies is done", text(g.step(lines, WIPE)) == "the ledger is empty", lines)
            found = c.gate.settle(lambda rs: any(r.get("tool_name") == "wipe_ledger" for r in rs))
            said = {r.get("policy_decision") for r in found if r.get("tool_name") == "wipe_ledger"}
            c.check(f"{mode}: the record says what would have been", said == {decision}, sorted(map(str, said)))
        failed = failed or c
        failed.failed += c.failed if failed is not c else 0
    return failed


def query():
    """The audit socket answers a plain HTTP client of root, and nobody else."""
    if not shutil.which("curl"):
        raise g.Skip("curl is not installed")
    with ledger_case(audit_queries="recorded") as c:
        c.use(policy=allow("ledger/add_entry"))
        c.run("ledger", ADD, WIPE)
        c.gate.settle(lambda rs: any(r.get("tool_name") == "wipe_ledger" for r in rs))
        socket = os.path.join(c.gate.run_dir, "audit.sock")

        def get(path, user=None):
            argv = ["curl", "-s", "-m", "20", "-o", "-", "-w", "%{http_code}", "--unix-socket", socket, f"http://x{path}"]
            if user:
                argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
            return subprocess.run(argv, capture_output=True, text=True, env=g.environment(), check=False).stdout

        for path in ("/v1/health", "/v1/sessions", "/v1/records?agent=peer&decision=deny&limit=5", "/v1/checkpoint",
                     "/v1/proof?record=0"):
            said = get(path)
            c.check(f"GET {path.split('?')[0]}", said.endswith("200") and said.startswith(("{", "[")), said[:300])
        c.check("an unknown path is 404", get("/v1/nothing").endswith("404"))
        asked = [r for r in c.gate.records() if r.get("reason_code") == "audit_asked"]
        mine = [r["detail"] for r in asked if r["detail"]["asked_filter"] == "agent=peer&decision=deny&limit=5"]
        c.check("who asked what, and how much was answered, is on record", len(mine) == 1 and
                mine[0]["asked_path"] == "/v1/records" and mine[0]["asked_rows"] >= 1 and mine[0]["asked_uid"] == 0 and
                mine[0]["asked_pid"] > 0 and "asked_unit" in mine[0], asked)
        c.check("but not who looked whether all is well", not any(r["detail"]["asked_path"] == "/v1/health" for r in asked))
        said = get("/v1/records", user=65534)
        c.check("another user gets nothing", "wipe_ledger" not in said and not said.endswith("200"), said[:200])
        proof = c.gate.tollgate("audit", "prove", "0", "--json")
        c.check("audit prove gives a proof", proof.returncode == 0, proof.stderr)
        carry_away(c)
        follow(c)
    return c


def signed_beyond(c, size):
    """Waits for a checkpoint over more records; gives their number."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        now = c.gate.get("/v1/checkpoint")["size"]
        if now > size:
            return now
        time.sleep(0.1)
    raise RuntimeError(f"no checkpoint over more than {size} records in 20 s")


def judge_tiles(tiles, key):
    """What Go's own log client says of them; Debian has it as a package, so nothing is fetched."""
    env = g.environment(GO111MODULE="off", GOPATH="/usr/share/gocode", GOCACHE=os.path.join(g.ROOT, "build", "go"))
    with open(key, encoding="ascii") as f:
        return subprocess.run(["go", "run", os.path.join(HERE, "tlog.go"), tiles, f.read()], capture_output=True,
                              text=True, env=env, timeout=300, check=False)


def until_covered(ask):
    """A record has no proof before a checkpoint covers it."""
    for _ in range(100):
        done = ask()
        if "does not cover" not in done.stderr:
            break
        time.sleep(0.1)
    return done


def carry_away(c):
    """Exports, receipts, tiles and a witness of a real node's log."""
    log = os.path.join(c.gate.state, "log")
    key = os.path.join(log, "log.vkey")
    out = {name: c.work.path(name) for name in ("cose", "record", "tiles", "witness")}
    made = until_covered(lambda: c.gate.tollgate("audit", "prove", "1", "--form", "cose", "-o", out["cose"], "--record",
                                                 out["record"]))
    c.check("audit prove gives a COSE receipt", made.returncode == 0, made.stderr)
    judged = c.gate.tollgate("verify", "proof", out["cose"], "--record", out["record"], "--key", key)
    c.check("and verify believes it", judged.returncode == 0, judged.stdout + judged.stderr)
    events = c.gate.tollgate("audit", "export", "--format", "ocsf", "--decision", "deny")
    rows = [json.loads(line) for line in events.stdout.splitlines()]
    c.check("audit export gives OCSF", rows and all(r["class_uid"] == 6003 for r in rows), events.stderr)
    edges = c.gate.tollgate("audit", "graph", "--json")
    c.check("audit graph knows the tool", "wipe_ledger" in edges.stdout, edges.stderr)
    tiles = c.gate.tollgate("audit", "tiles", out["tiles"], "--log", log)
    c.check("audit tiles writes the log", tiles.returncode == 0, tiles.stderr)
    judged = judge_tiles(out["tiles"], key)
    c.check("and Go's sumdb believes them", judged.returncode == 0, judged.stdout + judged.stderr)
    size = c.gate.get("/v1/checkpoint")["size"]
    witness = ("audit", "witness", "--store", out["witness"])
    for what in ("first", "grown"):
        seen = c.gate.tollgate(*witness, "--key", key)
        c.check(f"the witness takes the {what} head", f": {what}" in seen.stdout, seen.stdout + seen.stderr)
        c.run("ledger", ADD)
        size = signed_beyond(c, size)
    seen = c.gate.tollgate(*witness, "--checkpoint", os.path.join(out["tiles"], "checkpoint"))
    c.check("the witness refuses what was before", seen.returncode == 1, seen.stdout + seen.stderr)


def follow(c):
    """tail -f shows a call that is made while it runs."""
    argv = [c.gate.program("tollgate"), "--config", c.gate.config, "audit", "tail", "-f", "--tool", "wipe_ledger"]
    tail = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=g.environment())
    c.work.processes.append(tail)
    end = threading.Timer(60, tail.kill)  # for a stream that stays silent
    end.start()
    first = tail.stdout.readline()
    c.run("ledger", WIPE)
    second = tail.stdout.readline()
    c.check("audit tail follows", "wipe_ledger" in first and "wipe_ledger" in second and first != second, first + second)
    end.cancel()
    tail.kill()
    tail.wait()


if __name__ == "__main__":
    main(reload_in_the_middle, host_from_before, stopped, killed, modes, query)
