#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims that hardware stands behind: a node on a software TPM, one report per session, a stranger who affirms with
the software TPM's root pinned, and what he refuses. tpm2-tools judges our quotes with code of its own."""
import base64
import copy
import hashlib
import json
import os
import shutil
import subprocess

import gate as g
from case import CONVERSATION, allow, main
from peer_claims import claimed, sessions_of
from peer_evidence import P256_SPKI, Tpm, certify_ak, parts
from peer_life import ADD, WIPE, background, ledger_case, wait_for_log

MEASURED = (0, 4, 7)  # PCRs that the verifier expects; 4 may change under a running node


def on_tpm():
    c = ledger_case()
    c.tpm = Tpm(c.work)
    c.tpm.start()
    c.settings["attestation"] = ["attestation:", "  provider: tpm", f"  tpm: \"{c.tpm.tcti}\"", "  pcrs: [0, 7]"]
    return c


def unpadded(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def thumbprint(x):
    return hashlib.sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()


class Thief:
    """Has everything that a node gave away, and a key of his own."""

    def __init__(self, work):
        self.work, self.key = work, work.path("thief.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                                     capture_output=True).stdout[-32:]

    def sign(self, raw):
        path = self.work.write("to-be-signed", raw)
        return unpadded(subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", path],
                                       check=True, capture_output=True).stdout)

    def claim(self, claim, change=lambda claim: None):
        """The claim as his own: his key where the node's was, in every member that names it."""
        mine = copy.deepcopy(claim)
        trace, key = mine["trace"], self.public.hex()
        trace["cnf"]["jwk"].update(x=unpadded(self.public), kid=f"cmcp-{key[:8]}")
        trace["subject"] = f"spiffe://cmcp.gateway/tee/{key[:16]}"
        change(mine)
        del mine["signature"]
        mine["signature"] = self.sign(canonical(mine))
        return mine

    def bundle(self, entries, bundle):
        return {**bundle, "entries": entries, "bundle_signature": self.sign(hashlib.sha256(canonical(entries)).digest())}


class Stranger:
    """Noted, when all was well, the node's key, policy, catalog, registers and its attestation key's certificate."""

    def __init__(self, c, key):
        self.c, self.key, self.pinned = c, key, []
        status = c.gate.answer("status")
        self.policy, self.catalog = status["policy_hash"], status["catalog_hash"]
        self.expected = None

    def remember(self, evidence):
        pcrs = parts(evidence)["pcrs"]
        self.pinned = certify_ak(self.c, self.c.tpm, evidence)
        self.expected = {"version": 1, "optional": ["binding.identity"], "tpm": {
            "selection": {"sha256": [str(i) for i in range(16)]},
            "pcrs": {"sha256": {str(i): pcrs[32 * i:32 * i + 32].hex() for i in MEASURED}}}}

    def verify(self, *files, pinned=None, key=True, policy=None, catalog=None, more=()):
        """Status, and every finding as FILE-KIND -> {field: (verdict, code)}, the worst of a field."""
        args = ["verify", "--json", *files, "--policy-hash", policy or self.policy, "--catalog-hash",
                catalog or self.catalog, *(self.pinned if pinned is None else pinned), *more]
        if key:
            args += ["--key", self.key if key is True else key]
        if self.expected:
            args += ["--evidence", self.c.work.write("expected.policy", json.dumps(self.expected))]
        done = self.c.gate.tollgate(*args)
        seen, order = {}, {"fail": 0, "not-checked": 1, "pass": 2}
        for file in json.loads(done.stdout) if done.stdout else []:
            for f in sorted(file["judgement"]["findings"], key=lambda f: -order[f["verdict"]]):
                seen[f["field"]] = (f["verdict"], f["code"])
        return done.returncode, seen or done.stderr


class Exported:
    """What `audit export` wrote of one session."""

    def __init__(self, c, session, name):
        self.c, self.dir = c, c.work.path(name)
        self.done = c.gate.tollgate("audit", "export", session, "-o", self.dir)
        self.files = {}
        for file in sorted(os.listdir(self.dir)):
            with open(os.path.join(self.dir, file), encoding="ascii") as f:
                self.files[file.split(".")[1]] = json.load(f)  # the last claim's, of several

    def __getitem__(self, kind):
        return self.files[kind]

    def with_(self, **changed):
        """The paths of its documents, with some of them changed, or left out."""
        paths = []
        for kind, value in {**self.files, **{k.replace("_", "-"): v for k, v in changed.items()}}.items():
            if value is not None:
                paths.append(self.c.work.write(f"changed/{kind}.json", json.dumps(value)))
        return paths


def talk(c, *steps):
    known = set(sessions_of(c))
    c.run("ledger", *steps)
    c.gate.settle(lambda records: any(r.get("entry_type") == "session_end" and r.get("agent") and
                                      r["session_id"] not in known for r in records))
    session = next(s for s in sessions_of(c) if s not in known)
    claimed(c, [session])
    return session


def judged_by_tpm2_tools(c, claim, evidence):
    """The quote that the claim carries, under the key of its evidence, for the nonce that the claim states."""
    if not shutil.which("tpm2_checkquote"):
        print("skip tpm2_checkquote: tpm2-tools is not installed", flush=True)
        return
    carried, public = claim["gateway"]["attestation_evidence"], parts(evidence)["ak_public"]
    spki = c.work.write("quote-ak.der", P256_SPKI + public[-66:-34] + public[-32:])
    pem, message = c.work.path("quote-ak.pem"), c.work.write("quote.message", decoded(carried["raw_evidence"]))
    subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER", "-in", spki, "-out", pem], check=True)
    signature = c.work.write("quote.signature", decoded(carried["quote_signature"]))
    nonce = hashlib.sha256(decoded(claim["trace"]["runtime"]["nonce"])).hexdigest()
    for qualification, good in ((nonce, True), ("00" * 32, False)):
        done = subprocess.run(["tpm2_checkquote", "-u", pem, "-m", message, "-s", signature, "-g", "sha256", "-q",
                               qualification], capture_output=True, text=True, check=False)
        c.check(f"tpm2_checkquote {'takes the quote' if good else 'and not for another nonce'}",
                (done.returncode == 0) == good, done.stdout + done.stderr)


def affirmed(c, stranger, first):
    claim, evidence = first["claim"], first["evidence"]
    runtime, gateway = claim["trace"]["runtime"], claim["gateway"]
    c.check("the claim names the TPM and carries its quote", runtime["platform"] == "tpm2" and
            runtime["measurement"][7:] == hashlib.sha256(parts(evidence)["pcrs"][:256]).hexdigest() and
            decoded(gateway["attestation_evidence"]["raw_evidence"]) == parts(evidence)["quote"], claim)
    c.check("its nonce is the key's thumbprint and the root's hash", decoded(runtime["nonce"]) ==
            thumbprint(claim["trace"]["cnf"]["jwk"]["x"]) +
            hashlib.sha256(bytes.fromhex(gateway["audit_chain"]["root"])).digest(), runtime)
    judged_by_tpm2_tools(c, claim, evidence)
    status, seen = stranger.verify(first.dir, pinned=[])
    c.check("without a pinned root nothing is affirmed", status == 3 and seen["tpm.ak.provenance"][0] == "not-checked" and
            seen["claim.hardware"] == ("fail", "not-proven"), seen)
    stranger.expected["optional"] += ["tpm.ak.provenance", "tpm.ak.certificate", "claim.hardware", "record.hardware"]
    status, seen = stranger.verify(first.dir, pinned=[])
    c.check("and no policy can say that it is", status == 3, seen)
    del stranger.expected["optional"][1:]
    status, seen = stranger.verify(first.dir)
    c.check("affirmed with the software TPM's root pinned", status == 0 and
            seen["claim.hardware"] == seen["record.hardware"] == ("pass", "hardware-verified") and
            seen["tpm.ak.certificate"] == ("pass", "chain") and seen["tpm.expected"][0] == "pass" and
            seen["bundle.policy"] == seen["bundle.catalog"] == ("pass", "stated-in-root"), seen)
    status, seen = stranger.verify(*first.with_(evidence=None))
    c.check("the claim alone shows whose quote it is, and not the registers that are expected", status == 1 and
            seen["tpm.signature"][0] == "pass" and seen["tpm.expected"] == ("fail", "pcr-not-quoted"), seen)


def result_for_others(c):
    """The verifier's own verdict as a signed JWT, read by a JOSE implementation of somebody else's."""
    if not shutil.which("jose"):
        print("skip result_for_others: jose is not installed", flush=True)
        return
    nonce, key, other = "5a" * 16, c.work.path("verifier.pem"), c.work.path("other.pem")
    evidence = c.work.write("evidence-now.json", c.gate.tollgate("attest", "evidence", "--nonce", nonce, check=True).stdout)

    def public(path):
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path],
                       check=True, capture_output=True)
        point = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True,
                               capture_output=True).stdout[-64:]
        return c.work.write(f"{os.path.basename(path)}.jwk", json.dumps(
            {"kty": "EC", "crv": "P-256", "x": unpadded(point[:32]), "y": unpadded(point[32:])}))

    jwk, wrong = public(key), public(other)
    done = c.gate.tollgate("attest", "verify", "--provider", "tpm", "--evidence", evidence, "--nonce", nonce, "--ear-key",
                           key)
    token = done.stdout.strip()

    def jose(text, by=jwk):
        out = c.work.path("payload.json")
        run = subprocess.run(["jose", "jws", "ver", "-i", c.work.write("token.jws", text), "-k", by, "-O", out],
                             capture_output=True, text=True, check=False)
        return run.returncode == 0 and json.load(open(out, encoding="ascii"))

    payload = jose(token)
    c.check("jose verifies the EAR and reads what we found", payload and payload["submods"]["tpm"]["ear.status"] ==
            "warning" and done.returncode == 3, [done.stderr, payload])
    header = json.loads(decoded(token.split(".")[0]))
    thumb = subprocess.run(["jose", "jwk", "thp", "-i", jwk], capture_output=True, text=True, check=True).stdout.strip()
    c.check("its header names the key by jose's own thumbprint", header == {"alg": "ES256", "typ": "eat+jwt", "kid": thumb},
            header)
    taken = []
    for part in range(3):
        for bit in (0, 3, 7):
            parts_of = token.split(".")
            raw = bytearray(decoded(parts_of[part]))
            raw[len(raw) // 2] ^= 1 << bit
            parts_of[part] = unpadded(bytes(raw))
            if jose(".".join(parts_of)):
                taken.append((part, bit))
    c.check("and with one bit flipped in header, claims or signature it does not", not taken, taken)
    c.check("nor under another key", not jose(token, wrong))
    done = c.gate.tollgate("attest", "verify", "--provider", "tpm", "--evidence", evidence, "--ear-key", jwk)
    c.check("a file that is no private key signs nothing", done.returncode == 1 and not done.stdout and
            "no P-256 private key" in done.stderr, done.stderr)


def refusals(c, stranger, first, second):
    """Each on what the node gave out, changed by somebody; and with the field that says so."""
    thief = Thief(c.work)
    claim, evidence, entries = first["claim"], first["evidence"], first["bundle"]["entries"]

    def refused(name, field, *args, code=None, **kwargs):
        status, seen = stranger.verify(*args, **kwargs)
        c.check(f"refused: {name}", status == 1 and isinstance(seen, dict) and seen.get(field, ("",))[0] == "fail" and
                (code is None or seen[field][1] == code), seen)

    refused("another policy", "claim.policy", first.dir, policy="sha256:" + "11" * 32)
    refused("another catalog", "claim.catalog", first.dir, catalog="sha256:" + "22" * 32)
    refused("another key", "claim.key", first.dir, key="33" * 32)
    mine = thief.claim(claim)
    refused("a claim signed again", "claim.binding", *first.with_(claim=mine, bundle=None), key=None,
            code="public-key-bound")
    mine = thief.claim(claim, lambda m: m["trace"]["runtime"].update(nonce=unpadded(
        thumbprint(m["trace"]["cnf"]["jwk"]["x"]) + decoded(claim["trace"]["runtime"]["nonce"])[32:])))
    told = {**evidence, "nonce": decoded(mine["trace"]["runtime"]["nonce"]).hex()}
    refused("and with a nonce for the new key", "tpm.nonce", *first.with_(claim=mine, bundle=None, evidence=told), key=None)
    other = {**second["evidence"], "nonce": evidence["nonce"]}
    refused("the evidence of another session", "tpm.nonce", *first.with_(evidence=other))
    refused("and its quote is not the claim's", "claim.evidence", *first.with_(evidence=other), code="same-evidence")
    refused("a challenge that is not echoed", "claim.nonce", first.dir, more=["--nonce", unpadded(b"\1" * 64)])
    mine = thief.claim(claim, lambda m: m["gateway"].pop("attestation_evidence"))
    refused("hardware named without evidence", "claim.evidence", *first.with_(claim=mine, bundle=None, evidence=None),
            key=None, code="evidence-missing")
    refused("a truncated log", "bundle.tip", *first.with_(bundle={**first["bundle"], "entries": entries[:-1]}))
    edited = copy.deepcopy(entries)
    edited[1]["policy_decision"] = "allow" if edited[1]["policy_decision"] != "allow" else "deny"
    refused("an edited record", "bundle.entry", *first.with_(bundle={**first["bundle"], "entries": edited}))
    edited = copy.deepcopy(entries)
    edited[0]["detail"]["policy_hash"] = "sha256:" + "11" * 32
    refused("another policy in the first record", "bundle.policy", *first.with_(bundle={**first["bundle"],
                                                                                        "entries": edited}))
    refused("a log signed again", "bundle.signature", *first.with_(bundle=thief.bundle(entries, first["bundle"])))
    flipped = copy.deepcopy(evidence)
    raw = bytearray(base64.b64decode(flipped["parts"]["signature"]))
    raw[-1] ^= 1
    flipped["parts"]["signature"] = base64.b64encode(raw).decode()
    refused("one bit of the quote's signature", "tpm.signature", *first.with_(evidence=flipped))
    status, seen = stranger.verify(first.dir)
    c.check("and the unchanged one is still affirmed", status == 0, seen)


def rolled_back(c, stranger):
    """The log as it stood in the middle, with the claim that was made of it then, under the claim of the end."""
    go = c.work.path("go")
    known = set(sessions_of(c))
    ran = len(g.json_lines(c.log))
    finish = background(c, ADD, f"until {go}", ADD, WIPE)
    c.gate.settle(lambda rs: len(g.json_lines(c.log)) > ran and any(
        r.get("tool_name") == "add_entry" and r["session_id"] not in known for r in rs))
    session = next(s for s in sessions_of(c) if s not in known)
    c.gate.answer("audit", "claims", "--make", session)
    early = Exported(c, session, "early")
    c.work.write("go", "")
    finish()
    c.gate.settle(lambda rs: any(r["session_id"] == session and r.get("entry_type") == "session_end" for r in rs))
    for _ in range(100):
        late = Exported(c, session, "late")
        if late["claim"]["gateway"]["sequence_number"] == 2:
            break
    c.check("both claims of a session stand on one report", late["evidence"] == early["evidence"] and
            late["claim"]["trace"]["runtime"] == early["claim"]["trace"]["runtime"], [early.done.stderr, late.done.stderr])
    status, seen = stranger.verify(late.dir)
    c.check("the line of two claims is affirmed", status == 0, seen)
    status, seen = stranger.verify(*late.with_(bundle=early["bundle"]))
    c.check("refused: a rolled-back log under a later claim", status == 1 and seen["bundle.tip"][0] == "fail" and
            seen["bundle.signature"][0] == "pass" == seen["claim.hardware"][0], seen)


def claims_on_a_tpm():
    with on_tpm() as c:
        c.use(policy=allow("ledger/add_entry"))
        key = open(os.path.join(c.gate.state, "log", "log.vkey"), encoding="ascii").read().strip()
        stranger = Stranger(c, key)
        status = c.gate.answer("status")
        with open(os.path.join(c.gate.state, "log", "checkpoint"), encoding="utf-8") as f:
            signatures = f.read().split("\n\n")[1].splitlines()
        c.check("the key is sealed to the TPM, and a key inside it signs checkpoints too", len(signatures) == 2 and
                status["log"]["key"] == "tpm-sealed" and status["attestation"] == "tpm", [status["log"], signatures])
        first = Exported(c, talk(c, ADD, WIPE, ADD, ADD), "first")
        c.check("claim, bundle, Trust Record and evidence are exported", sorted(first.files) ==
                ["bundle", "claim", "evidence", "trust-record"], [sorted(first.files), first.done.stderr])
        stranger.remember(first["evidence"])
        affirmed(c, stranger, first)
        second = Exported(c, talk(c, ADD), "second")
        refusals(c, stranger, first, second)
        result_for_others(c)
        rolled_back(c, stranger)
        reports = [n for n in os.listdir(os.path.join(c.gate.state, "log", "claims")) if n.endswith(".evidence.json")]
        c.check("one report per session, however many calls", len(reports) == len(sessions_of(c)), reports)
        made = [r["detail"]["claimed_platform"] for r in c.gate.records() if r.get("reason_code") == "claim_made"]
        c.check("the log says what stands behind each claim", made and set(made) == {"tpm2"}, made)

        # Another policy, in force by a reload: the claim says so, and the old expectation refuses it.
        c.gate.reload(CONVERSATION + allow("ledger/wipe_ledger"))
        other = Exported(c, talk(c, WIPE), "other-policy")
        status, seen = stranger.verify(other.dir)
        c.check("refused: a session under another policy", status == 1 and seen["claim.policy"][0] == "fail" and
                seen["claim.hardware"][0] == "pass", seen)
        c.gate.reload(CONVERSATION + allow("ledger/add_entry"))
        back = Exported(c, talk(c, ADD), "back")
        status, seen = stranger.verify(back.dir)
        c.check("affirmed again under the first", status == 0, seen)

        c.gate.tollgate("rotate-key", check=True)
        rotated = Exported(c, talk(c, ADD), "rotated")
        status, seen = stranger.verify(rotated.dir)
        c.check("refused: the key after a rotation, by who has not followed it", status == 1 and
                seen["claim.key"][0] == "fail", seen)
        stranger.key = open(os.path.join(c.gate.state, "log", "log.vkey"), encoding="ascii").read().strip()
        status, seen = stranger.verify(rotated.dir)
        c.check("affirmed under the key that it was handed to", status == 0, seen)

        c.tpm.extend(4)
        changed = Exported(c, talk(c, ADD), "changed-pcr")
        status, seen = stranger.verify(changed.dir)
        c.check("refused: a PCR changed", status == 1 and seen["tpm.expected"][0] == "fail", seen)

        c.tpm.stop()
        gone = Exported(c, talk(c, ADD), "tpm-gone")
        c.check("a TPM that is gone: the claim says software-only", gone["claim"]["trace"]["runtime"]["platform"] ==
                "software-only" and "evidence" not in gone.files and
                "attestation_evidence" not in gone["claim"]["gateway"], gone["claim"]["trace"])
        status, seen = stranger.verify(gone.dir)
        c.check("which is consistent and not affirmed", status == 3 and seen["claim.platform"] ==
                ("fail", "software-only"), seen)
        c.check("and the daemon says why", "its claims are software-only" in c.gate.daemon_log())
    return c


def daemon_that_lies():
    """A modified daemon that states the digest of the genuine one: on a TPM that measures no programs nothing tells it
    from the genuine one, so neither is affirmed unless the verifier gives up on knowing which it was."""
    with on_tpm() as c:
        c.use(policy=allow("ledger/add_entry"), start=False)
        liar, genuine = os.path.join(g.build_dir(), "tests", "lying_tollgated"), c.gate.program("tollgated")
        if not os.access(liar, os.X_OK):
            raise g.Skip(f"{liar} is not built")
        digest = {n: hashlib.sha256(open(p, "rb").read()).hexdigest() for n, p in (("liar", liar), ("genuine", genuine))}
        program, c.gate.program = c.gate.program, lambda name: liar if name == "tollgated" else program(name)
        c.gate.start()
        key = open(os.path.join(c.gate.state, "log", "log.vkey"), encoding="ascii").read().strip()
        stranger = Stranger(c, key)
        lied = Exported(c, talk(c, ADD), "lied")
        stated = lied["bundle"]["entries"][0]["detail"]["program_hash"]
        c.check("it is another program and states the genuine digest", digest["liar"] != digest["genuine"] and
                stated == "sha256:" + digest["genuine"], [stated, digest])
        stranger.remember(lied["evidence"])
        stranger.expected["optional"] = []
        stranger.expected["binding"] = {"program_hashes": digest["genuine"]}
        status, seen = stranger.verify(lied.dir)
        c.check("its word compares, and affirms nothing", status == 3 and seen["bundle.program"][0] == "pass" and
                seen["binding.identity"] == ("not-checked", "self-asserted") and seen["claim.hardware"][0] == "pass", seen)
        stranger.expected["binding"] = {"program_hashes": digest["liar"]}
        status, seen = stranger.verify(lied.dir)
        c.check("a daemon that states another digest than expected is refused", status == 1 and
                seen["bundle.program"][0] == "fail", seen)
    return c


if __name__ == "__main__":
    main(claims_on_a_tpm, daemon_that_lies)
