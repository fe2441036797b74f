# SPDX-License-Identifier: Apache-2.0
"""A host that never gives up: host.py LOG STOP CALLS stdio COMMAND ARG... | http PORT PATH

Calls the tool echo, one call after the other, each with an id of its own that is never used again; every seventh
call is wipe, which policy forbids. When the conversation ends, or had CALLS good ones (0: no limit), it begins a new
one. When the file STOP exists it ends the conversation, begins a last one, and stops after five good calls in it.
What it saw is in LOG, a line each:
  S BYTES    about to be sent        R BYTES    received        E TEXT     an end, a refusal by HTTP, or no answer
  T MS       from the first failure to the next good call       D          the last conversation worked
  W MS       the longest that a message waited for its answer, at the end
"""
import http.client
import json
import os
import subprocess
import sys
import threading
import time

ANSWER_SECONDS = 30  # a call that has neither answer nor end by then hangs, and is a fault
PAUSE = 0.004
TRIES = 240  # of the last conversation
log_fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
stop_file, calls, peer_argv = sys.argv[2], int(sys.argv[3]), sys.argv[4:]


def log(kind, data=b""):
    os.write(log_fd, kind.encode() + b" " + data + b"\n")


class Ended(Exception):
    pass


class Stdio:
    """Its server is a new process each time."""

    def __init__(self, argv):
        self.server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.out = self.server.stdout

    def call(self, line):
        timer = threading.Timer(ANSWER_SECONDS, self.hang)
        timer.start()
        try:
            self.server.stdin.write(line + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                piece = self.out.read(65536)
                if not piece:
                    raise Ended("end of file")
                answer += piece
        except OSError as error:
            raise Ended(error.strerror) from error
        finally:
            timer.cancel()
        return answer[:-1]

    def hang(self):
        log("E", b"HANG")
        os._exit(1)

    def close(self):
        self.server.stdin.close()
        try:
            self.server.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            log("E", b"HANG at the end")
            self.server.kill()
        self.out.close()


class Http:
    def __init__(self, port, path):
        self.path = path
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=ANSWER_SECONDS)

    def call(self, line):
        try:
            self.connection.request("POST", self.path, line, {"Content-Type": "application/json",
                                                              "Accept": "application/json, text/event-stream"})
            response = self.connection.getresponse()
            body = response.read()
        except TimeoutError as error:
            log("E", b"HANG")
            raise Ended("no answer") from error
        except (OSError, http.client.HTTPException) as error:
            raise Ended(type(error).__name__) from error
        if response.status != 200:
            raise Ended(f"HTTP {response.status} {body[:200]}")
        return body

    def close(self):
        self.connection.close()


class Host:
    def __init__(self):
        self.serial, self.failed_at, self.longest = 0, None, 0

    def open(self):
        return Stdio(peer_argv[1:]) if peer_argv[0] == "stdio" else Http(*peer_argv[1:])

    def say(self, peer, method, params):
        """One request; gives its answer as an object. Its id is this host's and this request's alone."""
        self.serial += 1
        request = {"jsonrpc": "2.0", "id": f"{os.getpid()}-{self.serial}", "method": method, "params": params}
        line = json.dumps(request).encode()
        log("S", line)
        asked = time.monotonic()
        answer = peer.call(line)
        self.longest = max(self.longest, time.monotonic() - asked)
        log("R", answer)
        return json.loads(answer)

    def calls(self, peer, count, last):
        """Calls until the conversation ends, had count good ones (0: no limit), or, unless it is the last, shall stop."""
        good = 0
        self.say(peer, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {},
                                      "clientInfo": {"name": "chaos", "version": "1"}})
        while (last or not os.path.exists(stop_file)) and (not count or good < count):
            tool = "wipe" if self.serial % 7 == 0 else "echo"
            answer = self.say(peer, "tools/call", {"name": tool, "arguments": {"n": self.serial}})
            if "result" in answer:
                good += 1
                if self.failed_at:
                    log("T", str(int((time.monotonic() - self.failed_at) * 1000)).encode())
                    self.failed_at = None
            elif tool == "echo":
                raise Ended("refused")  # what policy allows is refused while something is down
            time.sleep(PAUSE)
        return good

    def converse(self, count, last=False):
        """One conversation; how many good calls it had when it was not cut."""
        peer = None
        try:
            peer = self.open()
            return self.calls(peer, count, last)
        except (Ended, OSError) as why:
            log("E", str(why).encode())
            self.failed_at = self.failed_at or time.monotonic()
            return 0
        finally:
            if peer:
                peer.close()

    def run(self):
        while not os.path.exists(stop_file):
            if not self.converse(calls):
                time.sleep(0.05)
        for _ in range(TRIES):
            if self.converse(5, last=True) >= 5:
                log("W", str(int(self.longest * 1000)).encode())
                log("D")
                return
            time.sleep(0.25)


Host().run()
