#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plain host on pipes, without an SDK: raw_host.py LINES -- COMMAND ARG...

LINES is a file: each line goes to the server as it stands ("\\x" escapes as in Python are resolved first, so a
line can hold any byte). "@wait N" waits until N lines came back, "@close" closes the server's input, "@sleep MS"
sleeps, "@cut" sends the next line without its newline. Every line from the server is printed as it came.
Ends with "exit N", the server's status.
"""
import subprocess
import sys
import threading
import time

WAIT_SECONDS = 20


def main():
    split = sys.argv.index("--")
    with open(sys.argv[1], "rb") as script:
        steps = script.read().splitlines()
    server = subprocess.Popen(sys.argv[split + 1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seen = []
    arrival = threading.Condition()

    def collect():
        for line in server.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            with arrival:
                seen.append(line)
                arrival.notify()

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    newline = b"\n"
    for step in steps:
        verb, _, rest = step.partition(b" ")
        if verb == b"@wait":
            with arrival:
                arrival.wait_for(lambda: len(seen) >= int(rest) or not reader.is_alive(), WAIT_SECONDS)
        elif verb == b"@sleep":
            time.sleep(int(rest) / 1000)
        elif verb == b"@close":
            server.stdin.close()
        elif verb == b"@cut":
            newline = b""
        elif verb == b"@fill":
            count, head, tail = rest.split(b" ", 2)
            send(server, head + b"x" * int(count) + tail + b"\n")
        else:
            send(server, step.decode("latin-1").encode("latin-1").decode("unicode_escape").encode("latin-1")
                 if b"\\x" in step else step, newline)
            newline = b"\n"
    try:
        server.stdin.close()
    except OSError:
        pass
    try:
        status = server.wait(WAIT_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        status = "killed after waiting"
    reader.join(WAIT_SECONDS)
    print("exit", status, flush=True)


def send(server, data, newline=b""):
    try:
        server.stdin.write(data + newline)
        server.stdin.flush()
    except OSError as error:
        print("write", error.strerror, flush=True)


main()
