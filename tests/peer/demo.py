#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration that scripts/demo runs: ordinary hosts and servers, and what Tollgate makes of their calls.

demo.py [--off]. With --off the same programs make the same calls on a machine without the daemon: what is allowed
works as before, and every check of enforcement fails. Every verdict is taken from outside Tollgate: from what the
host printed, and from the server's own log, its files, or a recorder of what arrives at its port.
"""
import base64
import json
import os
import platform
import shutil
import signal
import sys

import gate as g
from case import refused, text

AGENT = "researcher"
SECRET = "s3cret-of-the-demo"

CONVERSATION = """
// The conversation itself: starting a listed server, greeting it, asking for its tools.
@id("conversation")
permit (principal, action in [Action::"method", Action::"server/use", Action::"spawn"], resource);

@id("everyday-tools")
permit (principal == Agent::"researcher", action in [
    Action::"everything/echo", Action::"everything/get-sum",
    Action::"everything-web/echo", Action::"everything-web/get-sum",
    Action::"ledger/echo", Action::"ledger/add_entry",
    Action::"ledger-web/echo", Action::"ledger-web/add_entry",
    Action::"weather/weather"
], resource);

@id("the-ledger-stays")
forbid (principal, action in [Action::"ledger/wipe_ledger", Action::"ledger-web/wipe_ledger"], resource);
"""

NO_SUMS = CONVERSATION + """
@id("no-sums-any-more")
forbid (principal, action == Action::"everything/get-sum", resource);
"""

BROKEN = CONVERSATION + "\npermit (principal, action resource);\n"


class Story:
    """Counts checks and prints one line for each."""

    def __init__(self, off):
        self.off, self.passed, self.failed = off, 0, 0

    def chapter(self, title):
        print(f"\n{title}", flush=True)

    def check(self, title, holds, seen, kind="enforced"):
        """kind: enforced (must fail without Tollgate) or works (must hold with and without it)."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        mark = "ok  " if holds else "FAIL"
        print(f"  {mark} [{kind}] {title}: {seen}", flush=True)


def short(value, length=110):
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    return text if len(text) <= length else text[:length - 3] + "..."


def reply(answer):
    """The text a tool gave, or what the host was told instead."""
    if not answer:
        return "the host never got that far"
    if not answer.get("ok"):
        error = answer["error"]
        return f"error {error.get('code')} \"{short(error.get('message') or '')}\""
    content = answer.get("result", {}).get("content")
    return f"\"{short(content[0].get('text', ''))}\"" if content else short(answer.get("result"))


class Demo:
    def __init__(self, off):
        self.story = Story(off)
        self.off = off
        self.work = g.Workspace()
        self.gate = None

    def prepare(self):
        w = self.work
        self.host, self.ledger, self.weather, self.tap = w.install("host.mjs", "logged-server.mjs",
            "rugpull-server.mjs", "tap.mjs")
        self.stranger = w.write("stranger.mjs", open(self.ledger, encoding="utf-8").read() + "// somebody's copy\n")
        everything = w.path("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
        self.logs = {n: w.path(f"{n}.log") for n in ("ledger", "ledger-web", "weather", "stranger", "stranger-web",
                                 "everything-web")}
        self.flag = w.path("turned")
        ports = {n: g.free_port() for n in ("everything-web", "tap", "ledger-web", "stranger-web")}
        port = {n: str(p) for n, p in ports.items()}
        for name, program, *arguments in (
                ("everything-web", everything, "streamableHttp"),
                ("tap", self.tap, port["tap"], port["everything-web"], self.logs["everything-web"]),
                ("ledger-web", self.ledger, self.logs["ledger-web"], "--http", port["ledger-web"]),
                ("stranger-web", self.stranger, self.logs["stranger-web"], "--http", port["stranger-web"])):
            w.start([g.node(), program, *arguments],
                    env={"PATH": os.environ["PATH"], "PORT": port[name], "DEMO_SECRET": SECRET})
            g.wait_for_port(ports[name])
        self.servers = {
            "everything": {"command": "node", "args": [everything, "stdio"], "env": {"DEMO_SECRET": SECRET}},
            "everything-web": {"url": f"http://127.0.0.1:{ports['tap']}/mcp"},
            "ledger": {"command": "node", "args": [self.ledger, self.logs["ledger"]]},
            "ledger-web": {"url": f"http://127.0.0.1:{ports['ledger-web']}/mcp"},
            "weather": {"command": "node", "args": [self.weather, self.logs["weather"], self.flag]},
            "stranger": {"command": "node", "args": [self.stranger, self.logs["stranger"]]},
            "stranger-web": {"url": f"http://127.0.0.1:{ports['stranger-web']}/mcp"},
        }
        self.mcp_json = w.write("mcp.json", json.dumps({"mcpServers": self.servers}))

    def approve(self):
        """What the administrator did before: an agent by its program, a policy, the servers' tools as scanned."""
        agents = [{"name": AGENT, "sponsor": "demo@example.org", "exe": g.node(), "script": self.host}]
        self.gate = g.Gate(self.work, agents, CONVERSATION, off=self.off)
        if self.off:
            return
        for name, server in self.servers.items():
            if not name.startswith("stranger"):
                command = [server["command"], *server["args"]] if "command" in server else None
                self.gate.scan(name, command, server.get("url"))

    def run_host(self, server, *steps):
        """Exactly as without Tollgate: the program, its configuration, nothing else."""
        return g.run_host([g.node(), self.host, self.mcp_json, server, *steps], cwd=self.work.dir)

    def arrived(self, server, since=0):
        """What reached a server according to the server: its own log, or the recorder at its port, from a mark on."""
        lines = g.json_lines(self.logs[server])
        if server != "everything-web":
            return lines[since:]
        return b"".join(base64.b64decode(l["bytes"]) for l in lines[since:] if l["from"] == "client").decode("utf-8",
            "replace")

    def mark(self, server):
        return len(g.json_lines(self.logs[server]))

    # --- the chapters ---------------------------------------------------------------------------------------

    def stdio(self):
        check = self.story.check
        self.story.chapter("Over stdio: the host starts its servers itself")
        sum_step = 'call get-sum {"a": 19, "b": 23}'
        lines = self.run_host("everything", "list", sum_step, "call get-env", 'call echo {"message": "still here"}')
        answer = g.step(lines, sum_step)
        check("server-everything, allowed call get-sum", "42" in (text(answer) or ""), reply(answer), "works")
        answer = g.step(lines, "call get-env")
        check("server-everything, denied call get-env: the error reaches the host, the server's secret does not",
            refused(answer) and SECRET not in json.dumps(lines), reply(answer))
        answer = g.step(lines, 'call echo {"message": "still here"}')
        check("the conversation goes on after a denial", text(answer) == "Echo: still here", reply(answer), "works")
        tools = g.step(lines, "list").get("result", {}).get("tools", [])
        check("the list holds what this agent may call and nothing else", sorted(tools) == ["echo", "get-sum"],
            f"{len(tools)} tools: {short(', '.join(tools), 60)}")

        since = self.mark("ledger")
        lines = self.run_host("ledger", 'call add_entry {"line": "grüße ✓"}', "call wipe_ledger",
            'call add_entry {"line": "second"}')
        log = self.arrived("ledger", since)
        ran = [l["ran"] for l in log if "ran" in l]
        answer = g.step(lines, 'call add_entry {"line": "grüße ✓"}')
        check("ledger, allowed call add_entry: ran, with its argument intact",
            {"ran": "add_entry", "args": {"line": "grüße ✓"}} in log and text(answer) == "added: grüße ✓",
            f"host {reply(answer)}; server's log: ran {ran}", "works")
        answer = g.step(lines, "call wipe_ledger")
        wiped = [l for l in log if l.get("tool") == "wipe_ledger" or l.get("ran") == "wipe_ledger"]
        check("ledger, denied call wipe_ledger: the host is told, the server never sees it",
            refused(answer) and not wiped and ran.count("add_entry") == 2,
            f"host {reply(answer)}; server's log: {wiped or 'nothing of it'}")

    def http(self):
        check = self.story.check
        self.story.chapter("Over Streamable HTTP: the servers were running before")
        since = self.mark("everything-web")
        echo = 'call echo {"message": "over http"}'
        lines = self.run_host("everything-web", "list", echo, "call get-env")
        wire = self.arrived("everything-web", since)
        answer = g.step(lines, echo)
        check("server-everything, allowed call echo", text(answer) == "Echo: over http" and '"over http"' in wire,
            f"host {reply(answer)}; at the server's port: {wire.count('POST ')} requests, the call among them", "works")
        answer = g.step(lines, "call get-env")
        check("server-everything, denied call get-env: the host is told, nothing of it arrives at the server's port",
            refused(answer) and "get-env" not in wire and '"over http"' in wire and SECRET not in json.dumps(lines),
            f"host {reply(answer)}; at the server's port: {'the call' if 'get-env' in wire else 'nothing of it'}")
        tools = g.step(lines, "list").get("result", {}).get("tools", [])
        check("the list is filtered", sorted(tools) == ["echo", "get-sum"], f"{len(tools)} tools: {short(', '.join(tools), 60)}")

        since = self.mark("ledger-web")
        lines = self.run_host("ledger-web", 'call add_entry {"line": "by http"}', "call wipe_ledger")
        log = self.arrived("ledger-web", since)
        answer = g.step(lines, "call wipe_ledger")
        wiped = [l for l in log if l.get("tool") == "wipe_ledger" or l.get("ran") == "wipe_ledger"]
        check("ledger, add_entry runs and wipe_ledger never arrives",
            refused(answer) and not wiped and {"ran": "add_entry", "args": {"line": "by http"}} in log,
            f"host {reply(answer)}; server's log: ran {[l['ran'] for l in log if 'ran' in l]}")

    def strangers(self):
        check = self.story.check
        self.story.chapter("Servers that nobody approved")
        for server, what in (("stranger", "stdio: a program that is not in the catalog"),
                     ("stranger-web", "HTTP: another port")):
            since = self.mark(server)
            lines = self.run_host(server, 'call echo {"message": "anyone?"}')
            log = self.arrived(server, since)
            calls = [l for l in log if l.get("method") or l.get("ran")]
            answer = g.step(lines, 'call echo {"message": "anyone?"}') or g.step(lines, "connect")
            check(what, answer.get("ok") is False and not calls,
                f"host {reply(answer)}; server's log: {short([c.get('method', c.get('ran')) for c in calls]) if calls else 'no message'}")

    def rug_pull(self):
        check = self.story.check
        self.story.chapter("A server that changes its mind")
        call = 'call weather {"city": "Rome"}'
        lines = self.run_host("weather", "list", call)
        check("weather as approved", text(g.step(lines, call)) == "sunny", reply(g.step(lines, call)), "works")
        since = self.mark("weather")
        self.work.write("turned", "description\n")
        lines = self.run_host("weather", "definitions", call)
        os.unlink(self.flag)
        log = self.arrived("weather", since)
        answer = g.step(lines, call)
        shown = "id_ed25519" in json.dumps(g.step(lines, "definitions"))
        check("its description now asks for a private key: the tool is hidden, the call refused",
            refused(answer) and not log and not shown,
            f"host {reply(answer)}; server's log: {short(log) if log else 'no call'}; poisoned text "
            f"{'shown' if shown else 'not shown'} to the host")

    def reloads(self):
        check = self.story.check
        self.story.chapter("A policy that changes, and one that is broken")
        call = 'call get-sum {"a": 1, "b": 1}'
        before = g.step(self.run_host("everything", call), call)
        done = self.gate.reload(NO_SUMS)
        after = g.step(self.run_host("everything", call), call)
        check("get-sum is forbidden from the reload on", bool(text(before)) and refused(after),
            f"before {reply(before)}; after {reply(after)}")
        done = self.gate.reload(BROKEN)
        said = (done.stderr + done.stdout).strip() if done else "no daemon"
        line = BROKEN[:BROKEN.index("action resource")].count("\n") + 1
        lines = self.run_host("everything", call, 'call echo {"message": "after"}')
        check("a broken policy is refused with file and line, and the one before stays",
            bool(done) and done.returncode != 0 and f"policy.cedar:{line}:" in said and refused(g.step(lines, call)) and
            text(g.step(lines, 'call echo {"message": "after"}')) == "Echo: after",
            f"reload said \"{short(said)}\"; get-sum {reply(g.step(lines, call))}")
        self.gate.reload(CONVERSATION)

    def evidence(self):
        check = self.story.check
        self.story.chapter("What is left of it: the log")
        if self.off:
            for title in ("the status names the agent and says that it enforces",
                      "the records match what the host did", "the denials name the policy that denied",
                      "each session begins with software-only evidence, policy and catalog hash",
                      "the drift record says which tool changed", "the log verifies",
                      "the same log with one byte changed does not"):
                check(title, False, "no daemon, no log")
            return
        status = self.gate.tollgate("status").stdout.lower()
        check("the status names the agent and says that it enforces", AGENT in status and "enforcing" in status,
            short(status, 100))
        wanted = {("tool_call", "ledger", "wipe_ledger", "deny"): 1, ("tool_call", "ledger-web", "wipe_ledger", "deny"): 1,
              ("tool_call", "ledger", "add_entry", "allow"): 2, ("tool_call", "ledger-web", "add_entry", "allow"): 1,
              ("tool_call", "everything", "get-env", "deny"): 1, ("tool_call", "everything-web", "get-env", "deny"): 1}

        def count(records, key):
            return sum((r.get("entry_type"), r.get("server_identity"), r.get("tool_name"), r.get("policy_decision")) == key
                   for r in records)

        records = self.gate.settle(lambda rs: all(count(rs, k) == n for k, n in wanted.items()))
        got = {f"{k[1]}/{k[2]} {k[3]}": count(records, k) for k in wanted}
        check("the records match what the host did", all(count(records, k) == n for k, n in wanted.items()), short(got, 200))
        rules = {r.get("policy_rule_matched") for r in records if r.get("tool_name") == "wipe_ledger"}
        check("the denials name the policy that denied", rules == {"the-ledger-stays"}, short(sorted(map(str, rules))))
        starts = [r for r in records if r.get("entry_type") == "session_start"]
        details = [r.get("detail") or {} for r in starts]
        check("each session begins with software-only evidence, policy and catalog hash",
            bool(starts) and all(d.get("attestation_platform") == "software-only" and d.get("policy_hash") and
                d.get("catalog_hash") for d in details),
            f"{len(starts)} sessions; {short(details[0] if details else {}, 90)}")
        drifts = [r for r in records if r.get("entry_type") == "catalog_drift"]
        check("the drift record says which tool changed, and how", any("weather" in json.dumps(r) and
            "description" in json.dumps(r) for r in drifts), short([r.get("reason") for r in drifts]))
        self.verify()

    def verify(self):
        log, copy = os.path.join(self.gate.state, "log"), self.work.path("copy-of-the-log")
        whole = self.gate.tollgate("verify", "log", log)
        self.story.check("the log verifies", whole.returncode == 0, short(whole.stdout or whole.stderr))
        # The copy with its whole surroundings verifies as well, so that the one byte is all that differs.
        shutil.copytree(self.gate.state, copy, ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
        copied = os.path.join(copy, "log")
        same = self.gate.tollgate("verify", "log", copied)
        path = os.path.join(copied, sorted(f for f in os.listdir(copied) if f.endswith(".jsonl"))[0])
        with open(path, "r+b") as f:
            f.seek(f.read().index(b'"deny"') + 1)
            f.write(b"D")
        broken = self.gate.tollgate("verify", "log", copied)
        self.story.check("the same log with one byte changed does not",
            same.returncode == 0 and broken.returncode == 1, short(broken.stderr + broken.stdout, 140))

    def farewell(self):
        self.story.chapter("Afterwards")
        self.gate.close()
        lines = self.run_host("ledger", "call wipe_ledger")
        left = self.gate.left_behind()
        answer = g.step(lines, "call wipe_ledger")
        self.story.check("after `tollgate release` the same host works as it did before, and no scope is left",
            text(answer) == "the ledger is empty" and not left, f"host {reply(answer)}; scopes {left or 'none'}", "works")

    def run(self):
        version = json.load(open(os.path.join(g.peer_dir(), "node_modules/@modelcontextprotocol/sdk/package.json"),
            encoding="utf-8"))["version"]
        print(f"Tollgate demo{' --off: the same calls without Tollgate' if self.off else ''}. Linux {platform.release()}, "
            f"node {g.node_major()}, MCP SDK {version}.\nThe host is `node host.mjs mcp.json SERVER STEP...`; it and its "
            "servers start as they always do.")
        self.prepare()
        self.approve()
        self.gate.start()
        for chapter in (self.stdio, self.http, self.strangers, self.rug_pull, self.reloads, self.evidence, self.farewell):
            chapter()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    demo = Demo("--off" in sys.argv[1:])
    story = demo.story
    try:
        demo.run()
    except BrokenPipeError:
        return 1  # whoever read this has seen enough
    except (RuntimeError, OSError, g.subprocess.SubprocessError, ValueError, KeyError) as error:
        story.check("the demo ran to its end", False, str(error))
    except g.Skip as reason:
        story.check("the demo ran to its end", False, str(reason))
    finally:
        if demo.gate:
            demo.gate.close()
        keep = os.environ.get("KEEP")
        if keep:
            print(f"kept: {demo.work.dir}")
            demo.work.processes and [demo.work.stop(p) for p in reversed(demo.work.processes)]
        else:
            demo.work.close()
    print(f"\ndemo: {story.passed} passed, {story.failed} failed")
    return 1 if story.failed else 0


if __name__ == "__main__":
    sys.exit(main())
