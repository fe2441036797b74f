# SPDX-License-Identifier: Apache-2.0
"""Opens the payload commitments of a log with the node's salt key, as its operator may: user/notary/salt.h says how.
Written from that text, not from its code, so that both must be right to agree."""
import glob
import hashlib
import itertools
import json
import os

REQUEST, RESPONSE = 1, 2
LOOK_AHEAD = 64  # payloads of one host come in the order of their records, but for those that were never recorded


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Log:
    def __init__(self, state):
        with open(os.path.join(state, "notary", "salt.key"), encoding="ascii") as f:
            self.node_key = bytes.fromhex(f.read().split()[1])
        self.records, self.keys = [], {}
        for path in sorted(glob.glob(os.path.join(state, "log", "[0-9]*.jsonl"))):
            with open(path, encoding="ascii") as f:
                self.records += [json.loads(line) for line in f]

        for record in self.records:
            if record["entry_type"] == "session_start":
                session, epoch = record["session_id"].encode(), record["detail"].get("salt_epoch", "").encode()
                instance = sha256(b"tollgate/salt/instance/v1\0", self.node_key, sha256(epoch))
                self.keys[record["session_id"]] = sha256(b"tollgate/salt/session/v1\0", instance, sha256(session))

    def salt(self, record, member):
        return sha256(b"tollgate/salt/v1\0", self.keys[record["session_id"]], record["sequence_number"].to_bytes(8, "big"),
                      bytes([member]))

    def by_agent(self, pid):
        return [r for r in self.records if r.get("agent_pid") == pid]


def match(log, records, field, member, payloads):
    """Pairs each record that commits to a payload with that payload: {index of the payload: record}; the records that
    commit to none of them; the payloads that two records commit to."""
    digests = [hashlib.sha256(p).digest() for p in payloads]
    found, strange, twice, at = {}, [], [], 0
    for record in records:
        if not record.get(field):
            continue
        salt = log.salt(record, member)
        near = range(at, min(at + LOOK_AHEAD, len(digests)))
        for i in itertools.chain(near, range(len(digests))):
            if "sha256:" + hashlib.sha256(salt + digests[i]).hexdigest() == record[field]:
                if i in found:
                    twice.append(payloads[i])
                found[i] = record
                at = i + 1
                break
        else:
            strange.append(record)
    return found, strange, twice
