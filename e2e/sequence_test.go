package e2e_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What follows writes down what a cell of the matrix does: the requests as the CA saw them, how often the ledger was made
// durable before each of them, what was noted there, and what became of the orders. Two versions of the program are told
// apart by it where every promise is kept by both. What the machine's speed decides is left out: how often something was
// looked at, in which order things arrived that are sent side by side, times, and whatever is drawn by lot.

// recordVariable names the directory into which each cell writes its sequence.
const recordVariable = "ORDERLY_E2E_SEQUENCES"

// recordable are the tests whose cells do the same each time. The others kill at whatever moment it is.
func recordable() []string {
	return []string{"TestTheFaultMatrix", "TestTheFaultMatrixOfOddCAs", "TestAKillAroundEveryEffect", "TestALostNewOrderIsFoundInTheSameRun",
		"TestAnOrderTheCABrokeIsReplaced"}
}

// recorder sees what goes on in a world.
type recorder struct {
	dir string // where the sequence goes

	mu    sync.Mutex
	hosts []*host
	runs  []begun
}

// begun is a program that was started.
type begun struct {
	command  string
	requests int // how many there had been
	commits  int // of the ledgers, as commits counts them
}

func newRecorder(t *testing.T) *recorder {
	test, _, isCell := strings.Cut(t.Name(), "/")
	dir := os.Getenv(recordVariable)
	if dir == "" || !isCell || !slices.Contains(recordable(), test) {
		return nil
	}
	return &recorder{dir: dir}
}

// noteRun is told that a program begins.
func (h *host) noteRun(name string, args []string) {
	if h.recorder == nil {
		return
	}
	command := filepath.Base(name)
	if name == program {
		command = args[0]
	} else if len(args) > 1 && args[0] == program { // by the watcher
		command = args[1]
	}
	// What a run finds is not to depend on how much time went by since the last one.
	until(h.t, "the CA ends its validations", func() bool { return !validating(h.ca.Truth()) })
	run := begun{command: command, requests: len(h.ca.Truth().Requests), commits: h.recorder.commits()}
	h.recorder.mu.Lock()
	defer h.recorder.mu.Unlock()
	if !slices.ContainsFunc(h.recorder.hosts, func(other *host) bool { return other.config == h.config }) {
		h.recorder.hosts = append(h.recorder.hosts, h)
	}
	h.recorder.runs = append(h.recorder.runs, run)
}

// commits is how many transactions stand in the ledgers' write-ahead logs.
func (r *recorder) commits() int {
	r.mu.Lock()
	hosts := slices.Clone(r.hosts)
	r.mu.Unlock()
	sum := 0
	for _, h := range hosts {
		log, err := os.ReadFile(filepath.Join(h.config, "orderly", "ledger.db-wal"))
		if err == nil {
			sum += transactions(log)
		}
	}
	return sum
}

// transactions counts the commits in a write-ahead log of SQLite's (sqlite.org/fileformat2.html, 4.1). The last frame of
// each says how large the database is; frames that another log left behind it have another salt.
func transactions(log []byte) int {
	const header, frame = 32, 24
	if len(log) < header {
		return 0
	}
	page, salt, count := int(binary.BigEndian.Uint32(log[8:])), log[16:24], 0
	for at := header; at+frame+page <= len(log) && bytes.Equal(log[at+8:at+16], salt); at += frame + page {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 {
			count++
		}
	}
	return count
}

// record writes the sequence of the world into a file. Of several worlds of one cell the last one counts, and its turn comes
// first: it is the one in which times were in order.
func (w *world) record() {
	if w.recorder == nil || w.t.Failed() {
		return
	}
	name := fnv.New64a()
	_, _ = name.Write([]byte(w.t.Name()))
	path := filepath.Join(w.recorder.dir, fmt.Sprintf("%x.json", name.Sum(nil)))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	truth := w.ca.Truth()
	steps := w.recorder.steps(truth)
	for _, h := range w.recorder.hosts {
		steps = append(steps, h.ledgerSteps(truth)...)
	}
	if err := json.NewEncoder(file).Encode(map[string]any{"cell": w.t.Name(), "steps": steps}); err != nil {
		w.t.Fatal(err)
	}
}
