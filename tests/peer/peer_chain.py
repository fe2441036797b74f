#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers behind a chain of processes that all hold the same descriptors: npx, sh -c, env, and a shell that stays."""
import gate as g
from case import Case, allow, main, refused, text

ECHO = 'call echo {"message":"through the chain"}'


def chain(name, command, scan_as):
    """The server is who reads the descriptor in the end, not the child the host started."""
    def test():
        with Case(["host.mjs", "logged-server.mjs"]) as c:
            log = c.work.path("ledger.log")
            server = c.programs["logged-server.mjs"]
            fill = {"server": server, "log": log, "everything": c.work.path("node_modules/.bin/mcp-server-everything")}
            argv = [a.format(**fill) for a in command]
            c.servers["chained"] = {"command": argv[0], "args": argv[1:]}
            tools = ("chained/echo",)
            c.use(policy=allow(*tools))
            lines = c.run("chained", "list", ECHO, "call wipe_ledger", "call get-env")
            c.check(f"{name}: the allowed call passes", "through the chain" in (text(g.step(lines, ECHO)) or ""), lines)
            denied = "call get-env" if scan_as == "everything" else "call wipe_ledger"
            c.check(f"{name}: the denied call does not", refused(g.step(lines, denied)) and
                    "wipe_ledger" not in str(g.json_lines(log)), lines)
            c.check(f"{name}: the list is filtered", g.step(lines, "list").get("result") == {"tools": ["echo"]}, lines)
        return c
    test.__name__ = name.replace(" ", "_")
    return test


if __name__ == "__main__":
    main(chain("npx", ["npx", "--offline", "mcp-server-everything", "stdio"], "everything"),
         chain("sh -c", ["sh", "-c", "node {server} {log}"], "ledger"),
         chain("sh -c exec", ["sh", "-c", "exec node {server} {log}"], "ledger"),
         chain("a shell that stays", ["sh", "-c", "node {server} {log}; echo ended >> {log}"], "ledger"),
         chain("env", ["env", "A=b", "nice", "node", "{server}", "{log}"], "ledger"))
