package client

// Whatever a log holds: it is read to its end, keeps to its bounds, and tells of URLs alone that
// could be followed.

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// judge complains about what no parser may tell.
type judge struct {
	t    *testing.T
	seen []Sighting
	runs int
	lost int
	// failed counts failures, and renewals a million each
	failed int
}

func (j *judge) See(s Sighting) {
	if !usable(s.URL) || s.Place.Line <= 0 || s.Run.Line <= 0 {
		j.t.Errorf("told of %+v", s)
	}
	j.seen = append(j.seen, s)
}
func (j *judge) Lose(l Lost) { j.lost++ }
func (j *judge) Fail(f Failure) {
	if f.Text == "" && !f.Killed || len(f.Text) > maxText || len(f.Names) > maxFailed || f.Place.Line <= 0 {
		j.t.Errorf("failed %+v", f)
	}
	j.failed++
}
func (j *judge) Renew(Renewal) { j.failed += 1 << 20 }
func (j *judge) End(r Run) {
	if r.Fate == "" || r.Place.Line <= 0 {
		j.t.Errorf("ended %+v", r)
	}
	j.runs++
}

func FuzzLog(f *testing.F) {
	all, err := filepath.Glob("../testdata/logs/*.log*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				f.Fatal(err)
			}
			if b, err = io.ReadAll(z); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b[:min(len(b), 6<<10)], len(b)/2)
	}
	f.Add([]byte(lego4), 40)
	f.Add([]byte(uacme1), 40)
	f.Add([]byte(acmeShLog("_main_domain='a'", "url='https://ca.example/1'", "payload='{}'", "code='200'", "response='{}'")), 40)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole := &judge{t: t}
		log := NewLog(whole)
		if err := log.Read(context.Background(), 0, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		log.Close(false)
		// However it arrives, it says the same.
		slow := &judge{t: t}
		log = NewLog(slow)
		if err := log.Read(context.Background(), 0, iotest.HalfReader(bytes.NewReader(b))); err != nil {
			t.Fatal(err)
		}
		log.Close(false)
		if len(whole.seen) != len(slow.seen) || whole.runs != slow.runs || whole.lost != slow.lost ||
			whole.failed != slow.failed {
			t.Errorf("read at once: %d, %d, %d; in halves: %d, %d, %d", len(whole.seen), whole.runs, whole.lost,
				len(slow.seen), slow.runs, slow.lost)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"status":"pending","authorizations":["a"],"identifier":{"type":"dns","value":"x"},"error":{"subproblems":[{"identifier":{"value":"y"}}]}}`))
	f.Add([]byte(`{"a":[1,2.5e3,true,null,"\u00e9\ud83d\ude00\n"],"wildcard":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s said
		whole := readJSON(b, &s)
		// What is cut off is never whole.
		if whole {
			trimmed := bytes.TrimSpace(b)
			if readJSON(trimmed[:len(trimmed)-1], &s) {
				t.Errorf("whole without its end: %q", b)
			}
		}
		unrepr(b)
		eachHeader(b, func(_, _ []byte) {})
	})
}
