#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A node on a software TPM, from its start to a stranger's verdict: the sealed key, checkpoints that two keys signed,
evidence for a nonce, and what is refused after each way of cheating. Where Go is installed, its note and tlog packages
judge our checkpoints and proofs."""
import base64
import glob
import hashlib
import json
import os
import shutil
import subprocess
import time

import gate as g
from case import Case, main

POLICY = '@id("p")\npermit (principal, action, resource);\n'
OTHER_POLICY = '@id("q")\nforbid (principal, action, resource);\n'
GO_SOURCES = "/usr/share/gocode/src"


class Tpm:
    """swtpm with an endorsement certificate of an authority of its own, below a private directory."""

    def __init__(self, work):
        for tool in ("swtpm", "swtpm_setup", "swtpm_localca"):
            if not shutil.which(tool):
                raise g.Skip(f"{tool} is not installed")
        self.work, self.process = work, None
        self.dir = work.path("tpm")
        os.makedirs(os.path.join(self.dir, "state"))
        ca = os.path.join(self.dir, "ca")
        os.makedirs(ca)
        work.write("tpm/ca.conf", f"statedir = {ca}\nsigningkey = {ca}/key.pem\nissuercert = {ca}/issuer.pem\n"
                                  f"certserial = {ca}/serial\n")
        work.write("tpm/ca.options", "--platform-manufacturer Test --platform-version 1 --platform-model Test\n")
        work.write("tpm/setup.conf", f"create_certs_tool= /usr/bin/swtpm_localca\n"
                                     f"create_certs_tool_config = {self.dir}/ca.conf\n"
                                     f"create_certs_tool_options = {self.dir}/ca.options\nactive_pcr_banks = sha256\n")
        subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", f"{self.dir}/state", "--create-ek-cert", "--pcr-banks",
                        "sha256", "--config", f"{self.dir}/setup.conf"], check=True, capture_output=True)
        self.socket = f"swtpm:path={self.dir}/sock"
        # The notary may open no socket: it gets a device node, as of a real TPM.
        self.node = work.path("tpmdev")
        os.makedirs(self.node)
        program = os.path.join(g.build_dir(), "tests", "device_tpm")
        if not os.access(program, os.X_OK) or not os.path.exists("/dev/fuse"):
            raise g.Skip(f"{program} or /dev/fuse is not there")
        self.mount = work.start([program, self.node, f"{self.dir}/sock"])
        deadline = time.monotonic() + g.START_SECONDS
        while not os.path.ismount(self.node) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.tcti = f"device:{self.node}/dev/tpmrm0"

    def start(self):
        """As after a power-on."""
        self.process = self.work.start(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.dir}/state", "--server",
                                        f"type=unixio,path={self.dir}/sock", "--ctrl",
                                        f"type=unixio,path={self.dir}/sock.ctrl", "--flags",
                                        "not-need-init,startup-clear"])
        deadline = time.monotonic() + g.START_SECONDS
        while not os.path.exists(f"{self.dir}/sock") and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self):
        self.work.stop(self.process)
        for name in ("sock", "sock.ctrl"):
            if os.path.exists(f"{self.dir}/{name}"):
                os.unlink(f"{self.dir}/{name}")

    def extend(self, pcr):
        subprocess.run(["tpm2_pcrextend", "-T", self.socket, f"{pcr}:sha256={'01' * 32}"], check=True,
                       capture_output=True)


def parts(evidence):
    return {name: base64.b64decode(part) for name, part in evidence["parts"].items()}


def note(gate):
    with open(os.path.join(gate.state, "log", "checkpoint"), encoding="utf-8") as f:
        return f.read()


class Node:
    """The daemon on that TPM, and what its administrator noted when all was well."""

    def __init__(self, c, tpm=None):
        self.c, self.tpm = c, tpm
        self.gate = c.gate = g.Gate(c.work, [{"name": "nobody", "exe": c.work.path("nobody")}], POLICY, attestation=[
            "attestation:", "  provider: tpm", f"  tpm: \"{tpm.tcti}\"", "  pcrs: [0, 7]"] if tpm else [
            "attestation:", "  provider: software-only"])
        self.log = os.path.join(self.gate.state, "log")
        self.expected = None

    def evidence(self, nonce, name="evidence.json"):
        """By the command line, as a stranger would be handed it."""
        for _ in range(100):
            done = self.gate.tollgate("attest", "evidence", "--nonce", nonce)
            if "just now" not in done.stderr:
                break
            time.sleep(0.2)
        if done.returncode:
            raise RuntimeError(f"attest evidence: {done.stderr}")
        return json.loads(done.stdout), self.c.work.write(name, done.stdout)

    def remember(self, evidence):
        pcrs = parts(evidence)["pcrs"]
        said = evidence["statement"]
        self.expected = {
            "version": 1,
            "optional": ["binding.identity", "tpm.ak.certificate"],
            "binding": {"public_keys": said["public_key"], "policy_hashes": said["policy_hash"][7:],
                        "catalog_hashes": said["catalog_hash"][7:], "modes": ["enforcing"]},
            "tpm": {"aks": "", "selection": {"sha256": [str(i) for i in range(16)]},
                    "pcrs": {"sha256": {"0": pcrs[:32].hex(), "7": pcrs[7 * 32:8 * 32].hex()}}},
        }
        del self.expected["tpm"]["aks"]

    def attest(self, path, nonce, *more):
        policy = self.c.work.write("expected.json", json.dumps(self.expected))
        done = self.gate.tollgate("attest", "verify", "--provider", "tpm", "--evidence", path, "--nonce", nonce,
                                  "--policy", policy, "--json", *more)
        return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    def verify_log(self, path, *more):
        done = self.gate.tollgate("verify", "log", self.log, "--evidence", path, "--json", *more)
        return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def faults(verdict):
    return [f["fault"] for f in verdict.get("findings", [])]


def failed(verdict):
    return [f["field"] for f in verdict.get("findings", []) if f["verdict"] == "fail"]


P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def certify_ak(c, tpm, evidence):
    """What a privacy authority does once it has seen the TPM answer for its attestation key; the maker's stands in."""
    public = parts(evidence)["ak_public"]
    spki = c.work.write("ak.der", P256_SPKI + public[-66:-34] + public[-32:])
    ca, out = os.path.join(tpm.dir, "ca"), c.work.path("ak.pem")

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True)

    openssl("pkey", "-pubin", "-inform", "DER", "-in", spki, "-out", c.work.path("ak.pub"))
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=node AK",
            "-keyout", c.work.path("any.key"), "-out", c.work.path("any.csr"))
    openssl("x509", "-req", "-in", c.work.path("any.csr"), "-CA", f"{ca}/issuer.pem", "-CAkey", f"{ca}/key.pem",
            "-set_serial", "77", "-days", "2", "-force_pubkey", c.work.path("ak.pub"), "-out", out)
    with open(out, "ab") as cert, open(f"{ca}/issuer.pem", "rb") as issuer:
        cert.write(issuer.read())
    os.makedirs(c.work.path("roots"))
    shutil.copy(f"{ca}/swtpm-localca-rootca-cert.pem", c.work.path("roots"))
    return ["--ak-cert", out, "--roots", c.work.path("roots")]


def edit(path, change):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(change(text))


def segments(directory):
    return sorted(glob.glob(os.path.join(directory, "*.jsonl")))


def refusals_of_logs(c, node, path):
    """Each on a copy of the finished log, held against evidence from before the cheating."""
    good = node.log

    def cheat(name, how, wanted, *more):
        node.log = c.work.path("cheat")
        shutil.rmtree(node.log, ignore_errors=True)
        shutil.copytree(good, node.log)
        how(node.log)
        status, verdict = node.verify_log(path, *more)
        c.check(f"refused: {name}", status == 1 and wanted in faults(verdict), verdict)
        node.log = good

    def truncate(log):
        edit(segments(log)[-1], lambda text: "".join(text.splitlines(True)[:-2]))

    def edit_record(log):
        edit(segments(log)[0], lambda text: text.replace('"mode":"enforcing"', '"mode":"advisory_"', 1))

    def resign(log):
        """By somebody who has the log and a key of his own, and puts that beside it."""
        seed = hashlib.sha256(b"thief").digest()
        with open(f"{log}/checkpoint", encoding="utf-8") as f:
            text = f.read().split("\n\n")[0] + "\n"
        der = bytes.fromhex("302e020100300506032b657004220420") + seed
        key = c.work.write("thief.der", der)
        subprocess.run(["openssl", "pkey", "-inform", "DER", "-in", key, "-out", c.work.path("thief.pem")], check=True)
        public = subprocess.check_output(["openssl", "pkey", "-in", c.work.path("thief.pem"), "-pubout", "-outform",
                                          "DER"])[-32:]
        signature = subprocess.check_output(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", c.work.path("thief.pem"),
                                             "-in", c.work.write("thief.txt", text)])
        key_id = hashlib.sha256(b"test-node\n\x01" + public).digest()[:4]
        with open(f"{log}/checkpoint", "w", encoding="utf-8") as f:
            f.write(f"{text}\n\u2014 test-node {base64.b64encode(key_id + signature).decode()}\n")
        with open(f"{log}/log.vkey", "w", encoding="utf-8") as f:
            f.write(f"test-node+{key_id.hex()}+{base64.b64encode(bytes([1]) + public).decode()}\n")

    def without_the_tpm(log):
        edit(f"{log}/checkpoint", lambda text: "\n".join(text.split("\n")[:-2]) + "\n")

    cheat("a truncated log", truncate, "truncated")
    cheat("an edited record", edit_record, "entry_hash")
    cheat("a log signed again by another key", resign, "signature")
    cheat("a checkpoint that the TPM did not sign", without_the_tpm, "cosignature")


def independent(c, node):
    """The Go project's packages for transparency logs on what our own programs wrote."""
    if not shutil.which("go") or not os.path.isdir(f"{GO_SOURCES}/golang.org/x/mod/sumdb/tlog"):
        print("skip independent: no go or no golang.org/x/mod: run scripts/deps", flush=True)
        return
    receipt = c.work.path("receipt")
    node.gate.tollgate("audit", "prove", "1", "-o", receipt, check=True)
    program = c.work.path("note")
    env = g.environment(GO111MODULE="off", GOPATH="/usr/share/gocode", GOCACHE=c.work.path("gocache"), GOFLAGS="",
                        GOTOOLCHAIN="local")
    built = subprocess.run(["go", "build", "-o", program, os.path.join(g.HERE, "note.go")], capture_output=True, text=True,
                           env=env, check=False)
    if not c.check("the Go program builds", built.returncode == 0, built.stderr):
        return

    def judged(checkpoint, proof):
        return subprocess.run([program, f"{node.log}/log.vkey", f"{node.log}/cosign.vkey", checkpoint, proof],
                              capture_output=True, text=True, check=False)

    done = judged(f"{node.log}/checkpoint", receipt)
    c.check("Go's note, tlog and ecdsa verify checkpoint, both signatures and receipt", done.returncode == 0 and
            done.stdout.startswith("record 1 of "), done.stdout + done.stderr)
    with open(f"{node.log}/checkpoint", encoding="utf-8") as f:
        lines = f.read().splitlines(True)
    lines[1] = f"{int(lines[1]) + 1}\n"
    done = judged(c.work.write("other", "".join(lines)), receipt)
    c.check("and not an edited one", done.returncode == 1 and "open note" in done.stdout, done.stdout)


def end_to_end():
    with Case() as c:
        tpm = Tpm(c.work)
        tpm.start()
        node = Node(c, tpm)
        node.gate.start()
        nonce = "00112233445566778899aabbccddeeff"
        evidence, path = node.evidence(nonce)
        said = evidence["statement"]
        status = node.gate.answer("status")
        c.check("status names the TPM", status["attestation"] == "tpm" and status["log"]["key"] == "tpm-sealed", status)
        c.check("evidence is the TPM's and bound to the nonce", evidence["platform"] == "tpm" and
                evidence["class"] == "hardware" and said["nonce"] == nonce, evidence["platform"])
        c.check("it states what is in force", said["policy_hash"] == status["policy_hash"] and
                said["catalog_hash"] == status["catalog_hash"] and said["program_hash"] == status["program_hash"] and
                said["tree_size"] > 0, said)
        c.check("the log key lies nowhere in clear", not os.path.exists(f"{node.gate.state}/notary/log.key") and
                not glob.glob(f"{node.gate.run_dir}/log-*.key"))
        started = json.load(open(f"{node.log}/evidence.json", encoding="utf-8"))
        kept = [r for r in node.gate.settle(lambda rs: any(r["entry_type"] == "attestation_refresh" for r in rs))
                if r["entry_type"] == "attestation_refresh"]
        with open(f"{node.log}/evidence.json", "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        c.check("evidence of the start is kept, its digest recorded", len(kept) == 1 and
                kept[0]["detail"]["evidence_sha256"] == digest and
                bytes.fromhex(started["statement"]["nonce"]).decode() == kept[0]["session_id"], kept)
        lines = note(node.gate).split("\n\n")[1].splitlines()
        c.check("two keys signed the checkpoint", len(lines) == 2, lines)
        node.remember(evidence)
        pinned = certify_ak(c, tpm, evidence)
        status, verdict = node.attest(path, nonce, *pinned)
        c.check("affirmed with the software TPM's root pinned", status == 0, verdict)
        node.expected["optional"] = []
        node.expected["binding"]["program_hashes"] = said["program_hash"][7:]
        status, verdict = node.attest(path, nonce, *pinned)
        c.check("the daemon's hash of itself affirms nothing by itself", status == 3, verdict)
        node.expected["optional"] = ["binding.identity"]
        for field, key, value in (("binding.policy_hash", "policy_hashes", "11" * 32),
                                  ("binding.catalog_hash", "catalog_hashes", "22" * 32),
                                  ("binding.public_key", "public_keys", "33" * 32)):
            kept, node.expected["binding"][key] = node.expected["binding"][key], value
            status, verdict = node.attest(path, nonce, *pinned)
            c.check(f"refused: another {field}", status == 1 and field in failed(verdict), verdict)
            node.expected["binding"][key] = kept
        status, verdict = node.attest(path, "ff" * 16, *pinned)
        c.check("refused: a replayed nonce", status == 1 and "binding.nonce" in failed(verdict), verdict)
        status, verdict = node.verify_log(path)
        c.check("the log is the one that evidence is bound to", status == 0 and verdict["cosigned"] == "pass" and
                verdict["counter"]["checked"], verdict)

        independent(c, node)

        # Another policy in force, by reload: the statement says so, and the old expectation refuses it.
        node.gate.reload(OTHER_POLICY)
        later, later_path = node.evidence("ab" * 16, "later.json")
        status, verdict = node.attest(later_path, "ab" * 16, *pinned)
        c.check("refused: the node after a reload", later["statement"]["policy_hash"] != said["policy_hash"] and
                status == 1 and "binding.policy_hash" in failed(verdict), verdict)
        node.gate.reload(POLICY)

        witness = ("audit", "witness", "--store", c.work.path("witness"))
        node.gate.tollgate(*witness, "--key", os.path.join(node.log, "log.vkey"), check=True)
        done = node.gate.tollgate("rotate-key")
        rotated, rotated_path = node.evidence("aa" * 16, "rotated.json")
        status, verdict = node.verify_log(path)
        c.check("a rotated key is followed from the one before", done.returncode == 0 and status == 0 and
                verdict["handovers"] == 1 and rotated["statement"]["public_key"] != said["public_key"],
                [done.stderr, verdict])
        said = rotated["statement"]
        seen = node.gate.tollgate(*witness)
        c.check("and a witness follows it too", seen.returncode == 0 and "grown and proven" in seen.stdout,
                seen.stdout + seen.stderr)

        node.gate.stop()
        before = c.work.path("before")
        shutil.copytree(node.log, before)
        node.gate.start()
        again, again_path = node.evidence("cd" * 16, "again.json")
        c.check("the same key after a restart", again["statement"]["public_key"] == said["public_key"])
        node.gate.stop()
        refusals_of_logs(c, node, again_path)
        node.log, kept = before, node.log
        status, verdict = node.verify_log(again_path)
        c.check("refused: a log that was rolled back", status == 1 and "counter" in faults(verdict) and
                "evidence" in faults(verdict), verdict)
        node.log = kept

        # The machine boots something else: the key cannot come back, and everybody is told.
        tpm.extend(7)
        node.gate.start()
        changed, changed_path = node.evidence("ef" * 16, "changed.json")
        c.check("another boot state has another key", changed["statement"]["public_key"] != said["public_key"])
        seen = node.gate.tollgate(*witness)
        c.check("which a witness refuses", seen.returncode == 1 and "REFUSED: not signed" in seen.stdout,
                seen.stdout + seen.stderr)
        c.check("the daemon says so and what to do", "cannot be unsealed: PCR 0, 7" in node.gate.daemon_log())
        status, verdict = node.attest(changed_path, "ef" * 16, *pinned)
        c.check("refused: a PCR changed", status == 1 and "tpm.expected" in failed(verdict) and
                "binding.public_key" in failed(verdict), verdict)
        status, verdict = node.verify_log(again_path)
        c.check("refused: the log under the key that came without a hand-over", status == 1 and
                verdict["key_gaps"] == 1 and "signature" in faults(verdict), verdict)
        status, verdict = node.verify_log(changed_path)
        c.check("the gap shows under the new key", status == 0 and verdict["key_gaps"] == 1, verdict)
    return c


def without_a_tpm():
    """The key of a boot: root's alone, the same after a restart, and never called more than it is."""
    with Case() as c:
        node = Node(c)
        node.gate.start()
        evidence, path = node.evidence("0011")
        keys = glob.glob(f"{node.gate.run_dir}/log-*.key")
        status = node.gate.answer("status")
        c.check("it says software-only", status["attestation"] == "software-only" and
                status["log"]["key"] == "software-only" and evidence["class"] == "software-only" and
                not evidence["parts"], [status["log"], evidence["class"]])
        c.check("its key is root's, in the run directory", len(keys) == 1 and os.stat(keys[0]).st_uid == 0 and
                os.stat(keys[0]).st_mode & 0o77 == 0, keys)
        done = node.gate.tollgate("attest", "verify", "--provider", "tpm", "--evidence", path, "--nonce", "0011")
        c.check("nothing is affirmed", done.returncode == 3, done.stdout)
        done = node.gate.tollgate("rotate-key")
        c.check("a key of a boot is not rotated, and why", done.returncode == 1 and "new at each boot" in done.stderr,
                done.stderr)
        node.gate.stop()
        node.gate.start()
        again, _ = node.evidence("0022")
        c.check("the same boot has the same key", again["statement"]["public_key"] == evidence["statement"]["public_key"])
        node.gate.stop()
        os.rename(keys[0], os.path.join(node.gate.run_dir, "log-00000000-0000-0000-0000-000000000000.key"))
        node.gate.start()
        other, other_path = node.evidence("0033", "other.json")
        status, verdict = node.verify_log(other_path)
        c.check("another boot has another key, and the gap shows", status == 0 and verdict["key_gaps"] == 1 and
                other["statement"]["public_key"] != again["statement"]["public_key"], verdict)
        c.check("keys of other boots are gone", len(glob.glob(f"{node.gate.run_dir}/log-*.key")) == 1)
    return c


if __name__ == "__main__":
    main(end_to_end, without_a_tpm)
