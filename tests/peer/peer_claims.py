#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an auditor takes away from a running node: claims, Trust Records and bundles, and that no edit of them passes."""
import base64
import copy
import hashlib
import json
import os
import subprocess
import time

import gate as g
from case import CONVERSATION, allow, main, refused
from peer_life import ADD, WIPE, background, ledger_case, wait_for_log

ENDED = 15


def sessions_of(c):
    """Log sessions of the agent, oldest first."""
    return [r["session_id"] for r in c.gate.records() if r.get("entry_type") == "session_start" and r.get("agent")]


def claimed(c, sessions):
    """Waits until each has its claim, which is made when the log is signed, a second after the session's end."""
    deadline = time.monotonic() + ENDED
    while True:
        names = [n["name"] for n in c.gate.answer("audit", "claims")["claims"]]
        if all(any(n.startswith(s) for n in names) for s in sessions) or time.monotonic() > deadline:
            return names
        time.sleep(0.2)


def edits(document):
    """Every member, however deep, once changed and once left out; and lists once shorter."""
    def walk(at, path):
        for key in list(at) if isinstance(at, dict) else range(len(at)):
            value = at[key]
            if isinstance(value, (dict, list)):
                yield from walk(value, path + [key])
            elif isinstance(value, bool):
                yield path + [key], not value
            elif isinstance(value, int):
                yield path + [key], value + 1
            else:
                yield path + [key], (value[:-1] + ("x" if value[-1:] != "x" else "y")) if value else "x"
            yield path + [key], None
    for path, value in walk(document, []):
        edited = copy.deepcopy(document)
        at = edited
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        yield ".".join(map(str, path)), edited


def claims():
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry", "ledger/wipe_ledger"))
        go = c.work.path("go")
        finish = background(c, ADD, f"until {go}", WIPE, 'call add_entry {"line":"after"}')
        wait_for_log(c, "add_entry")
        c.gate.settle(lambda records: any(r.get("tool_name") == "add_entry" for r in records))
        first = sessions_of(c)[0]
        early = c.gate.answer("audit", "claims", "--make", first)
        c.check("a claim is made on demand", early.get("number") == 1 and early.get("durability") == "ring", early)
        nobody = c.gate.tollgate("audit", "claims", "--make", first.replace(first[0], "g"))
        c.check("and none of a session that is not there", nobody.returncode == 1 and "no such session" in nobody.stderr,
                nobody.stderr)
        c.check("the reload is taken", c.gate.reload(CONVERSATION + allow("ledger/add_entry")).returncode == 0)
        c.work.write("go", "")
        lines = finish()
        c.check("the new policy denies", refused(g.step(lines, WIPE)), lines)
        sessions = sessions_of(c)
        c.check("a reload ends the session and begins another", len(sessions) == 2, sessions)
        names = claimed(c, sessions)
        c.check("the conversation's claims are numbered through", names == sorted(
            [f"{sessions[0]}-1", f"{sessions[0]}-2", f"{sessions[1]}-3"]), names)

        out = c.work.path("export")
        done = c.gate.tollgate("audit", "export", sessions[1], "-o", out)
        c.check("it is exported", done.returncode == 0, done.stdout + done.stderr)
        key = open(os.path.join(c.gate.state, "log", "log.vkey")).read().strip()
        files = {n: json.load(open(os.path.join(out, n))) for n in sorted(os.listdir(out))}
        claim = files[f"{sessions[1]}-3.claim.json"]
        before = files[f"{sessions[0]}-2.claim.json"]
        bundle = files[f"{sessions[1]}-3.bundle.json"]
        policy, catalog = claim["trace"]["policy"]["bundle_hash"], claim["gateway"]["catalog"]["hash"]
        status = c.gate.answer("status")
        c.check("the last claim names the policy in force, the one before it another",
                policy == status["policy_hash"] != before["trace"]["policy"]["bundle_hash"] and
                catalog == status["catalog_hash"], claim)
        c.check("it counts what was judged under it", claim["gateway"]["call_summary"]["tool_calls_total"] == 2 and
                claim["gateway"]["call_summary"]["tool_calls_denied"] == 1, claim["gateway"])
        c.check("its bundle is the log's records", bundle["entries"] ==
                [r for r in c.gate.records() if r["session_id"] == sessions[1]])

        def verify(*args):
            return c.gate.tollgate("verify", *args, "--key", key)

        every = verify(out)
        c.check("verify: consistent, and software-only said out loud", every.returncode == 3 and
                "software-only" in every.stdout and "rejected" not in every.stdout, every.stdout)
        alone = json.loads(c.gate.tollgate("verify", "--json", out, "--key", key, "--policy-hash", policy,
                                           "--catalog-hash", catalog).stdout)
        mine = next(f["judgement"] for f in alone if f["file"].endswith("-3.claim.json"))
        open_fields = sorted({x["field"] for x in mine["findings"] if x["verdict"] != "pass"})
        c.check("of a claim with everything pinned nothing else is open", open_fields == ["claim.platform"], mine)
        other = c.gate.tollgate("verify", out, "--key", "00" * 31 + "07")
        c.check("another key is rejected", other.returncode == 1, other.stdout[-500:])
        wrong = verify(out, "--policy-hash", "sha256:" + "0" * 64)
        c.check("another policy is rejected", wrong.returncode == 1, wrong.stdout[-500:])

        passed, n = [], 0
        for kind in ("claim", "trust-record"):
            for path, edited in edits(files[f"{sessions[1]}-3.{kind}.json"]):
                name = c.work.write("edited.json", json.dumps(edited))
                n += 1
                if verify(name or c.work.path("edited.json")).returncode in (0, 3):
                    passed.append(path)
        c.check(f"each of {n} edits of claim and Trust Record is refused", n > 100 and not passed, passed)

        good = c.work.path("claim.json")
        c.work.write("claim.json", json.dumps(claim))
        for what, spoil in (("its last record", lambda e: e[:-1]), ("its first record", lambda e: e[1:]),
                            ("a record in the middle", lambda e: e[:1] + e[2:]),
                            ("a verdict", lambda e: [{**r, "policy_decision": "allow"} for r in e])):
            c.work.write("cut.json", json.dumps({**bundle, "entries": spoil(bundle["entries"])}))
            cut = verify(good, c.work.path("cut.json"))
            c.check(f"a log that lost or changed {what} contradicts the claim", cut.returncode == 1, cut.stdout[-500:])
        log = c.gate.tollgate("verify", "log", os.path.join(c.gate.state, "log"))
        c.check("the log itself verifies", log.returncode == 0, log.stdout)
        mode = os.stat(os.path.join(c.gate.state, "log", "claims", f"{sessions[1]}-3.json")).st_mode & 0o777
        c.check("claims are readable as the log is", mode == 0o640, oct(mode))
    return c


def disclosure():
    """One payload of one record is opened; the others stay what they are to an auditor: digests under unknown salts."""
    with ledger_case() as c:
        c.use(policy=allow("ledger/add_entry"))
        c.run("ledger", ADD, WIPE)
        c.gate.settle(lambda records: any(r.get("entry_type") == "session_end" and r.get("agent") for r in records))
        call = next(r for r in c.gate.get("/v1/records?limit=10000")["records"]
                    if r["record"].get("tool_name") == "add_entry" and r["record"].get("request_id_hash"))
        leaf = str(call["leaf"])
        deadline = time.monotonic() + ENDED
        while c.gate.get("/v1/checkpoint")["size"] <= call["leaf"] and time.monotonic() < deadline:
            time.sleep(0.2)
        key = open(os.path.join(c.gate.state, "log", "log.vkey")).read().strip()
        out = c.work.path("opened.json")
        opened = []
        for number in range(10):  # the id is a small number: with its salt, and only then, it can be tried
            guess = c.work.write("guess", str(number))
            done = c.gate.tollgate("audit", "prove", "--disclose", leaf, f"request_id={guess}", "-o", out)
            if done.returncode == 0:
                opened.append(number)
                break
        c.check("exactly the payload that was sent opens the commitment", len(opened) == 1 and number < 10, done.stderr)
        document = json.load(open(out))
        c.check("one field is opened and no other", list(document["disclosed"]) == ["request_id"], document)
        good = c.gate.tollgate("verify", "disclosure", out, "--key", key)
        c.check("the auditor finds it proven", good.returncode == 0 and "request_id: proven" in good.stdout, good.stdout)
        document["disclosed"]["request_id"]["payload"] = "OTk="
        false = c.gate.tollgate("verify", "disclosure", c.work.write("false.json", json.dumps(document)), "--key", key)
        c.check("another payload is refused", false.returncode == 1 and "false" in false.stdout, false.stdout)
        salt = document["disclosed"]["request_id"]["salt"]
        document["disclosed"] = {"request": {"salt": salt, "payload": "OTk="}}
        other = c.gate.tollgate("verify", "disclosure", c.work.write("other.json", json.dumps(document)), "--key", key)
        c.check("its salt opens no other field", other.returncode == 1, other.stdout)
        bare = c.gate.tollgate("audit", "prove", "--disclose", leaf, "request", "-o", out)
        left = c.gate.tollgate("verify", "disclosure", out, "--key", key)
        c.check("without the payload the salt alone is not called a proof", bare.returncode == 0 and
                left.returncode == 3 and "not-checked" in left.stdout, left.stdout + bare.stderr)
        told = c.gate.settle(lambda records: any(r.get("reason_code") == "payload_opened" for r in records))
        told = [r["detail"] for r in told if r.get("reason_code") == "payload_opened"]
        c.check("the log says what was opened", told and told[-1] == {
            "opened": "request", "opened_sequence": call["record"]["sequence_number"],
            "opened_session": call["record"]["session_id"]}, told)
    return c


def recipient(c, name):
    """A key pair as a recipient makes it, with OpenSSL's own tool."""
    key, public = c.work.path(f"{name}.pem"), c.work.path(f"{name}.pub")
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    return key, public


def receipt_of(c, wanted, name):
    """A receipt of the first record that is wanted, once a checkpoint covers it."""
    row = next(r for r in c.gate.get("/v1/records?limit=10000")["records"] if wanted(r["record"]))
    deadline = time.monotonic() + ENDED
    while c.gate.get("/v1/checkpoint")["size"] <= row["leaf"] and time.monotonic() < deadline:
        time.sleep(0.2)
    c.gate.tollgate("audit", "prove", str(row["leaf"]), "-o", c.work.path(name), check=True)
    return c.work.path(name)


def escrow():
    """Payloads are kept for who holds a key that the node never had, and each opens its own record alone."""
    with ledger_case() as c:
        key, public = recipient(c, "auditor")
        other, _ = recipient(c, "stranger")
        c.settings["more"] = ["escrow:", f"  recipient: {public}"]
        c.use(policy=allow("ledger/add_entry"))
        c.run("ledger", ADD, WIPE)
        c.gate.settle(lambda records: any(r.get("entry_type") == "session_end" and r.get("agent") for r in records))
        folder, log_key = os.path.join(c.gate.state, "escrow"), os.path.join(c.gate.state, "log", "log.vkey")
        kept = b"".join(open(os.path.join(folder, f), "rb").read() for f in os.listdir(folder))
        c.check("payloads are kept, and not in clear", kept.count(b"tollgate-escrow\n") > 4 and b"add_entry" not in kept and
                b"wipe_ledger" not in kept, len(kept))
        c.check("by root alone", os.stat(folder).st_mode & 0o7777 == 0o700 and os.stat(folder).st_uid == 0)
        call = receipt_of(c, lambda r: r.get("tool_name") == "add_entry", "call")
        made = next(r for r in c.gate.records() if r.get("tool_name") == "add_entry")
        answer = receipt_of(c, lambda r: r.get("entry_type") == "response" and r.get("call_id") == made["call_id"], "answer")
        denied = receipt_of(c, lambda r: r.get("tool_name") == "wipe_ledger", "denied")

        def opened(receipt, by=key, **kwargs):
            return c.gate.tollgate("audit", "escrow", "open", "--key", by, "--escrow", folder, "--log-key", log_key, receipt,
                                   **kwargs)

        said = opened(call)
        c.check("a call opens", said.returncode == 0 and json.loads(said.stdout)["params"]["name"] == "add_entry" and
                "the record is of the log" in said.stderr, said.stdout + said.stderr)
        said = opened(answer)
        c.check("so does its answer", said.returncode == 0 and "result" in json.loads(said.stdout), said.stdout + said.stderr)
        said = opened(denied)
        c.check("and a call that was denied", said.returncode == 0 and "wipe_ledger" in said.stdout, said.stdout + said.stderr)
        said = opened(call, by=other)
        c.check("not by another key", said.returncode == 1 and "another key" in said.stderr and not said.stdout, said.stderr)
        start = next(r for r in c.gate.records() if r.get("entry_type") == "session_start" and r.get("agent"))
        raw = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True)
        c.check("the session says whose key it is", start["detail"]["escrow_key"] == raw.stdout[-32:].hex(), start["detail"])
        os.chmod(c.work.path("auditor.pub"), 0o666)
        c.gate.stop()
        c.gate.start(ready=False)
        c.check("a key that anybody may change is refused", c.gate.daemon.wait(60) != 0)
        os.chmod(c.work.path("auditor.pub"), 0o644)
        c.gate.start()
    return c


class Issuer:
    """Signs agent manifests of version 0.1. Without other than ASCII text, sorted JSON is RFC 8785."""

    def __init__(self, work):
        self.work, self.key = work, work.path("issuer.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.key], check=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                                     capture_output=True).stdout[-32:]

    def write(self, path, policy, catalog, **members):
        now = time.time()
        when = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + s)) for s in (-3600, 86400)]
        manifest = {"manifest_id": "0190aaaa-0000-7000-8000-000000000001", "agent_id": "spiffe://example.org/agent/peer",
                    "version": "0.1", "issuer": "spiffe://example.org/issuer", "crypto_profile": "standard",
                    "issued_at": when[0], "expires_at": when[1], "artifacts": {
                        "policy_bundle": {"hash": policy}, "tool_manifest": {"catalog_hash": catalog}}}
        text = self.work.write("to-be-signed", json.dumps(manifest, sort_keys=True, separators=(",", ":")))
        signature = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", text], check=True,
                                   capture_output=True).stdout
        manifest["signature"] = {"algorithm": "Ed25519", "key_id": hashlib.sha256(self.public).hexdigest(),
                                 "signature_value": base64.urlsafe_b64encode(signature).decode().rstrip("=")}
        with open(path, "w", encoding="ascii") as f:
            json.dump({**manifest, **members}, f)
        return manifest


def bound_manifest():
    """An agent bound to a manifest: claims name it when it is for the policy and catalog in force, and only then."""
    with ledger_case() as c:
        issuer, path = Issuer(c.work), c.work.path("manifest.json")
        c.use(policy=allow("ledger/add_entry"), start=False)
        c.gate.agents[0].update(manifest=path, manifest_key=issuer.public.hex())
        c.gate.write_config()
        nothing = "sha256:" + "0" * 64
        issuer.write(path, nothing, nothing)
        c.gate.start()

        def claim_of_one_call():
            known = set(sessions_of(c))
            c.run("ledger", ADD)
            c.gate.settle(lambda records: any(r.get("entry_type") == "session_end" and r.get("agent") and
                                              r["session_id"] not in known for r in records))
            session = next(s for s in sessions_of(c) if s not in known)
            claimed(c, [session])
            return session, c.gate.get(f"/v1/claim?session={session}&part=claim")

        _, claim = claim_of_one_call()
        c.check("a manifest for another policy is not named", "agent_identity" not in claim["gateway"], claim["gateway"])
        status = c.gate.answer("status")
        manifest = issuer.write(path, status["policy_hash"], status["catalog_hash"])
        done = c.gate.reload()
        c.check("the reload takes the new manifest", done.returncode == 0, done.stderr)
        session, claim = claim_of_one_call()
        identity = claim["gateway"].get("agent_identity", {})
        c.check("the one for this policy is", identity.get("manifest_id") == manifest["manifest_id"] and
                identity.get("authenticated_subject") == manifest["agent_id"] and
                identity.get("subject_source") == "config", claim["gateway"])
        out = c.work.path("export")
        c.gate.tollgate("audit", "export", session, "-o", out, check=True)
        with open(os.path.join(out, "manifest.json"), "w", encoding="ascii") as f:
            json.dump(manifest, f)
        key = open(os.path.join(c.gate.state, "log", "log.vkey")).read().strip()
        verify = c.gate.tollgate("verify", out, "--key", key, "--manifest-key", issuer.public.hex())
        c.check("claim and manifest say the same to a stranger", verify.returncode == 3 and
                "rejected" not in verify.stdout and "manifest-named" in verify.stdout, verify.stdout)
        issuer.write(path, status["policy_hash"], status["catalog_hash"], agent_id="spiffe://example.org/agent/other")
        edited = c.gate.reload()
        c.check("a manifest that was edited is refused at the reload", edited.returncode != 0 and
                "manifest.json" in edited.stderr, edited.stderr)
    return c


if __name__ == "__main__":
    main(claims, disclosure, escrow, bound_manifest)
