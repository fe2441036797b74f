// SPDX-License-Identifier: Apache-2.0

// Judges what `tollgate audit tiles` wrote with Go's own sumdb/note and sumdb/tlog, which share nothing with
// Tollgate: the checkpoint's signature, the place of every record, and growth from a third of the log.
// usage: tlog FOLDER VERIFIER-KEY. Prints "N records".
package main

import (
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

// tlog's own paths begin with the height, which C2SP's do not have.
func (f folder) read(t tlog.Tile, from, to string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), strings.Replace(t.Path(), from, to, 1)))
}

func (f folder) Height() int                     { return height }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) (all [][]byte, err error) {
	for _, t := range tiles {
		b, err := f.read(t, "tile/8/", "tile/")
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func head(f folder, key string) tlog.Tree {
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	must(err)
	text, err := os.ReadFile(filepath.Join(string(f), "checkpoint"))
	must(err)
	signed, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	lines := strings.SplitN(signed.Text, "\n", 4)
	if lines[0] != verifier.Name() {
		log.Fatalf("the checkpoint is of %q", lines[0])
	}
	var size int64
	_, err = fmt.Sscan(lines[1], &size)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: tlog FOLDER VERIFIER-KEY")
	}
	f := folder(os.Args[1])
	tree := head(f, os.Args[2])
	hashes := tlog.TileHashReader(tree, f)
	at := int64(0)
	for at < tree.N {
		width := tree.N - at
		if width > 1<<height {
			width = 1 << height
		}
		bundle, err := f.read(tlog.Tile{H: height, L: 0, N: at >> height, W: int(width)}, "tile/8/0/", "tile/entries/")
		must(err)
		for len(bundle) > 0 {
			n := int(binary.BigEndian.Uint16(bundle))
			proof, err := tlog.ProveRecord(tree.N, at, hashes)
			must(err)
			must(tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(bundle[2:2+n])))
			bundle = bundle[2+n:]
			at++
		}
	}
	if old := tree.N / 3; old > 0 {
		root, err := tlog.TreeHash(old, hashes)
		must(err)
		proof, err := tlog.ProveTree(tree.N, old, hashes)
		must(err)
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old, root))
	}
	fmt.Println(at, "records")
}
