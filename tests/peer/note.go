// SPDX-License-Identifier: Apache-2.0

// note judges a checkpoint and a receipt of ours with the Go project's own packages for transparency logs, and the
// second signature with Go's own ECDSA: note VKEY COSIGN-VKEY CHECKPOINT RECEIPT.
package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error, what string) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func read(path string) string {
	b, err := os.ReadFile(path)
	check(err, "read")
	return string(b)
}

func hash(text string) (h tlog.Hash) {
	b, err := base64.StdEncoding.DecodeString(text)
	check(err, "hash")
	if len(b) != len(h) {
		check(fmt.Errorf("%d bytes", len(b)), "hash")
	}
	copy(h[:], b)
	return h
}

// open verifies a checkpoint and gives the tree it is of.
func open(text string, v note.Verifier) (*note.Note, tlog.Tree) {
	n, err := note.Open([]byte(text), note.VerifierList(v))
	check(err, "open note")
	lines := strings.Split(n.Text, "\n")
	if len(n.Sigs) != 1 || lines[0] != v.Name() {
		check(fmt.Errorf("%d good signatures, origin %s", len(n.Sigs), lines[0]), "note")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	return n, tlog.Tree{N: size, Hash: hash(lines[2])}
}

// cosigned verifies the line that the note package knows no algorithm for.
func cosigned(n *note.Note, vkey string) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	der, err := base64.StdEncoding.DecodeString(parts[2])
	check(err, "key")
	key, err := x509.ParsePKIXPublicKey(der[1:])
	check(err, "key")
	if len(n.UnverifiedSigs) != 1 || n.UnverifiedSigs[0].Name != parts[0] ||
		fmt.Sprintf("%08x", n.UnverifiedSigs[0].Hash) != parts[1] {
		check(fmt.Errorf("%v", n.UnverifiedSigs), "second signature")
	}
	sig, err := base64.StdEncoding.DecodeString(n.UnverifiedSigs[0].Base64)
	check(err, "second signature")
	digest := sha256.Sum256([]byte(n.Text))
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest[:], sig[4:]) {
		check(fmt.Errorf("does not verify"), "second signature")
	}
}

func main() {
	v, err := note.NewVerifier(strings.TrimSpace(read(os.Args[1])))
	check(err, "verifier key")
	n, tree := open(read(os.Args[3]), v)
	cosigned(n, read(os.Args[2]))
	receipt := strings.SplitN(read(os.Args[4]), "\n\n", 2)
	_, tree = open(receipt[1], v)
	var record []byte
	var index int64
	var proof tlog.RecordProof
	for i, line := range strings.Split(receipt[0], "\n") {
		switch {
		case i == 0:
			if line != "c2sp.org/tlog-proof@v1" {
				check(fmt.Errorf("%s", line), "receipt")
			}
		case strings.HasPrefix(line, "extra "):
			record, err = base64.StdEncoding.DecodeString(line[6:])
			check(err, "record")
		case strings.HasPrefix(line, "index "):
			index, err = strconv.ParseInt(line[6:], 10, 64)
			check(err, "index")
		default:
			proof = append(proof, hash(line))
		}
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(record)), "inclusion")
	fmt.Printf("record %d of %d\n", index, tree.N)
}
