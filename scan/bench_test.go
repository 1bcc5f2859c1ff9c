package scan_test

// What a scan costs: megabytes a second on one core, plain and packed, by version, and the memory
// that a long log takes.

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/scan/client"
)

type nobody struct{}

func (nobody) See(client.Sighting)  {}
func (nobody) Lose(client.Lost)     {}
func (nobody) Fail(client.Failure)  {}
func (nobody) Renew(client.Renewal) {}
func (nobody) End(client.Run)       {}

// plain is the text of a sample.
func plain(b testing.TB, path string) []byte {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			b.Fatal(err)
		}
	}
	text, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func BenchmarkPlain(b *testing.B) {
	all, err := filepath.Glob("testdata/logs/*.log*")
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range all {
		text := plain(b, path)
		for len(text) < 16<<20 {
			text = append(text, text...)
		}
		b.Run(filepath.Base(path), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				log := client.NewLog(nobody{})
				if err := log.Read(context.Background(), 0, bytes.NewReader(text)); err != nil {
					b.Fatal(err)
				}
				log.Close(false)
			}
		})
	}
}
