# SPDX-License-Identifier: Apache-2.0
"""An MCP server that tries what it is told: cage_server.py READY KEY. With the word "helper" it is the child that does it.

Before it reads its first message it tries to read KEY, and writes how that went into READY.

One tool, `attempt`, takes {"way", "what", "arg"} and answers "done" or the name of an error. The ways are the server
itself, a thread and a child that were there before the first message, a child of that whose parent is gone, and a
program started now.
"""
import errno
import json
import os
import queue
import socket
import subprocess
import sys
import threading


def dial(kind, port):
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", int(port)))
        s.send(b"x")


def read(path):
    with open(path, "rb") as f:
        f.read(1)


def write(path):
    with open(path, "ab") as f:
        f.write(b"x")


def variable(name):
    if name not in os.environ:
        raise OSError(errno.ENOENT, name)


WHATS = {
    "read": read,
    "write": write,
    "list": os.listdir,
    "connect": lambda port: dial(socket.SOCK_STREAM, port),
    "datagram": lambda port: dial(socket.SOCK_DGRAM, port),
    "variable": variable,
    "signal": lambda pid: os.kill(int(pid), 0),
}


def attempt(what, arg):
    try:
        WHATS[what](arg)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
    return "done"


def helper():
    """Line in, line out, by descriptors that are no part of the conversation."""
    for line in sys.stdin:
        print(attempt(*line.rstrip("\n").split(" ", 1)), flush=True)


def start_helper(lonely=False):
    command = [sys.executable, os.path.abspath(__file__), "helper"]
    if lonely:  # the shell between ends at once
        command = ["/bin/sh", "-c", 'exec 3<&0; "$@" <&3 & exit', "sh", *command]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Thread:
    def __init__(self):
        self.asked, self.answered = queue.Queue(), queue.Queue()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            self.answered.put(attempt(*self.asked.get()))


def ask_helper(process, what, arg):
    print(what, arg, file=process.stdin, flush=True)
    return process.stdout.readline().strip()


def ask_now(what, arg):
    process = start_helper()
    answer = ask_helper(process, what, arg)
    process.stdin.close()
    process.wait()
    return answer


def main():
    thread, child, lonely = Thread(), start_helper(), start_helper(lonely=True)
    ways = {
        "itself": attempt,
        "thread": lambda what, arg: (thread.asked.put((what, arg)), thread.answered.get())[1],
        "child": lambda what, arg: ask_helper(child, what, arg),
        "orphan": lambda what, arg: ask_helper(lonely, what, arg),
        "program": ask_now,
    }
    assert ask_helper(lonely, "list", "/usr") == "done"
    ready, key = sys.argv[1:]
    with open(ready + ".new", "w", encoding="ascii") as f:
        f.write(attempt("read", key))
    os.rename(ready + ".new", ready)
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = {"content": []}
        if message["method"] == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                      "serverInfo": {"name": "s", "version": "1"}}
        elif message["method"] == "tools/list":
            result = {"tools": [{"name": "attempt", "inputSchema": {"type": "object"}}]}
        elif message["method"] == "tools/call":
            a = message["params"]["arguments"]
            result["content"] = [{"type": "text", "text": ways[a["way"]](a["what"], a["arg"])}]
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    helper() if "helper" in sys.argv[1:] else main()
