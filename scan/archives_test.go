package scan_test

// Archives: the files of one log are read oldest first in whatever order they lie, and nothing in an
// archive is written, followed or believed.

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/scan/client"
)

// rotatedIn is a killed run over three files of a server, the oldest packed.
func rotatedIn(t *testing.T, dir string) []entry {
	t.Helper()
	text := plain(t, "testdata/logs/debian-killed-challenge.log")
	first := 5000 + bytes.IndexByte(text[5000:], '\n') + 1
	second := 9000 + bytes.IndexByte(text[9000:], '\n') + 1
	return []entry{{name: dir + "/letsencrypt.log", text: text[second:]},
		{name: dir + "/letsencrypt.log.1", text: text[first:second]},
		{name: dir + "/letsencrypt.log.2.gz", text: gz(t, text[:first])}}
}

// asBefore is an archive as tar wrote it before its headers named their kind.
func asBefore(archive []byte) []byte {
	b := bytes.Clone(archive)
	for at := 0; at+512 <= len(b) && b[at] != 0; {
		var size, sum int
		_, _ = fmt.Sscanf(string(b[at+124:at+135]), "%o", &size)
		clear(b[at+257 : at+512])
		copy(b[at+148:at+156], "        ")
		for _, c := range b[at : at+512] {
			sum += int(c)
		}
		copy(b[at+148:], fmt.Sprintf("%06o\x00 ", sum))
		at += 512 + (size+511)/512*512
	}
	return b
}

func TestArchivesAreReadOldestFirst(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 3))
	t.Logf("seed %d", seed)
	for range 3 {
		all := slices.Concat(rotatedIn(t, "web1"), rotatedIn(t, "web2"), rotatedIn(t, "web3/deep"))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		archive := tarOf(t, all...)
		for name, b := range map[string][]byte{"a.tar": archive, "a.tar.gz": gz(t, archive),
			"a.tar.zst": zst(t, archive), "in another.tar": tarOf(t, entry{name: "x.tar", text: archive}),
			"in another.tgz":        gz(t, tarOf(t, entry{name: "x.tgz", text: gz(t, archive)})),
			"before ustar.tar":      asBefore(archive),
			"appended twice.tar.gz": gz(t, tarOf(t, append([]entry{all[0]}, all...)...)),
		} {
			got := scanned(t, write(t, filepath.Join(t.TempDir(), "logs", name), b))
			if len(got.Troubles) != 0 || got.RunCount != 3 || len(got.Doubtful) != 1 || len(got.Open) != 0 {
				t.Errorf("%s: %d runs, open %v, doubtful %v, troubles %v", name, got.RunCount, got.Open,
					got.Doubtful, got.Troubles)
			}
			for run := range got.Runs {
				if run.Fate != client.Killed || run.Step != client.Challenge ||
					!strings.Contains(run.ID, name+":") || !strings.HasPrefix(run.Host, "web") {
					t.Errorf("%s: %+v", name, run)
				}
			}
		}
	}
}

// Links, holes and names that lead outside are said; what is a log is read.
func TestWhatElseAnArchiveHolds(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	log := plain(t, "testdata/logs/"+openOne)
	for _, h := range []*tar.Header{
		{Name: "web1/letsencrypt.log", Typeflag: tar.TypeReg, Size: int64(len(log)), Mode: 0o600},
		{Name: "web1/same.log", Typeflag: tar.TypeLink, Linkname: "web1/letsencrypt.log"},
		{Name: "web1/pipe", Typeflag: tar.TypeFifo},
		{Name: "web1/tty", Typeflag: tar.TypeChar},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(log); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{out.Bytes(), gz(t, out.Bytes())} {
		got := scanned(t, write(t, filepath.Join(t.TempDir(), "a.tar"), b))
		if len(got.Open) != 1 || len(got.Troubles) != 3 || got.RunCount != 1 {
			t.Errorf("open %v, troubles %v", got.Open, got.Troubles)
		}
	}
}
