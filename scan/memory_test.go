package scan_test

// What a scan keeps, and takes, whatever the size of what it reads: counted by the allocator.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"orderly/scan/client"
	"orderly/scan/month"
)

// heap is what is alive.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// taken is what was allocated, alive or not, while something was done.
func taken(do func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// again is a text many times, without being kept.
type again struct {
	text string
	left int
	now  strings.Reader
}

func (a *again) Read(p []byte) (int, error) {
	if a.now.Len() == 0 {
		if a.left--; a.left < 0 {
			return 0, io.EOF
		}
		a.now.Reset(a.text)
	}
	return a.now.Read(p)
}

// However long a log, a record or a line: what is kept of it at its end fits into a few megabytes.
func TestWhatIsKeptOfALongLog(t *testing.T) {
	sample := string(plain(t, "testdata/logs/"+openOne))
	begin := strings.Split(begun(), "Received")[0]
	for name, text := range map[string]*again{
		"runs":                    {text: sample, left: 2000},
		"a record without end":    {text: strings.Repeat("x\n", 1<<15), left: 500},
		"a line without end":      {text: strings.Repeat("x", 1<<16), left: 500},
		"requests without answer": {text: record(5, "acme.client", "Sending GET request to https://ca.example/1."), left: 100_000},
		"beginnings":              {text: record(0, "certbot._internal.main", "certbot version: 2.1.0"), left: 100_000},
		"orders":                  {text: ordered("", orderWith("https://ca.example/acme/authz/1/1")), left: 20_000},
		"lego":                    {text: "2026/11/28 03:03:51 [INFO] [a.example] AuthURL: https://ca.example/1\n", left: 100_000},
	} {
		before := heap()
		log := client.NewLog(nobody{})
		if err := log.Read(context.Background(), 0, io.MultiReader(strings.NewReader(begin), text)); err != nil {
			t.Fatal(err)
		}
		kept := heap() - before
		log.Close(false)
		if kept > 4<<20 {
			t.Errorf("%s: %d kB are kept", name, kept>>10)
		}
	}
}

// A fleet's runs take little each, of which most are what is open. What reading failures takes once
// does not count.
func TestWhatIsKeptOfManyRuns(t *testing.T) {
	all, err := month.Load("testdata/logs")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	made, err := month.Make(dir, all, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	scanned(t, dir)
	before := heap()
	got := scanned(t, dir)
	kept := heap() - before
	if len(got.Open) < 20 || kept > int64(made.Files)*5<<10 {
		t.Errorf("%d kB are kept of %d logs with %d open", kept>>10, made.Files, len(got.Open))
	}
}

// What is packed to take memory does not get it.
func TestBombsTakeNoMemory(t *testing.T) {
	var long bytes.Buffer
	w, err := zstd.NewWriter(&long, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 70 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	zeros := bombOf(t, boring())
	for name, b := range map[string][]byte{"too much memory": long.Bytes(), "out of all proportion": zeros} {
		path := write(t, filepath.Join(t.TempDir(), "log"), b)
		said := ""
		took := taken(func() { said = fmt.Sprint(scanned(t, path).Troubles) })
		if !strings.Contains(said, name) || took > 32<<20 {
			t.Errorf("took %d MB and said %s, want %q", took>>20, said, name)
		}
	}
}

// boring is a record of about a kilobyte that says nothing.
func boring() []byte {
	return []byte("2026-11-28 02:51:12,840:DEBUG:acme.client:" + strings.Repeat("x", 1000) + "\n")
}

// bombOf is what unpacks to 72 MB of the same, in members of one megabyte: packing more at once takes
// the race detector long.
func bombOf(t *testing.T, one []byte) []byte {
	return bytes.Repeat(gz(t, bytes.Repeat(one, 1<<20/len(one))), 73)
}
