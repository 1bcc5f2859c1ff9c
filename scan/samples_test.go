package scan_test

// The samples: logs of real runs of certbot 0.9 to 5.6, each with what the CA held pending at its
// end.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/scan"
	"orderly/scan/client"
)

type expected struct {
	Files    []string `json:"files_oldest_first"`
	Server   string   `json:"server"`
	Account  string   `json:"account"`
	Open     []named  `json:"open"`
	Doubtful []named  `json:"doubtful"`
	Killed   []struct {
		Names  []string `json:"names"`
		Signal int      `json:"signal"`
		Last   string   `json:"last_request"`
	} `json:"killed"`
}

type named struct {
	URL  string `json:"url"`
	Name string `json:"name"`
}

// steps are the words of the expectations.
var steps = map[string]client.Step{
	"answering the first challenge":     client.Challenge,
	"answering the second challenge":    client.Challenge,
	"polling the second authorization":  client.Poll,
	"fetching the second authorization": client.Authorization,
}

// itsTime is when the samples were made: everything in them is alive.
var itsTime = time.Date(2026, 11, 28, 3, 30, 0, 0, time.UTC)

func TestSamples(t *testing.T) {
	all, err := filepath.Glob("testdata/logs/*.expect")
	if err != nil || len(all) < 13 {
		t.Fatalf("samples: %d, %v", len(all), err)
	}
	for _, path := range all {
		name := strings.TrimSuffix(filepath.Base(path), ".expect")
		t.Run(name, func(t *testing.T) { sample(t, path) })
	}
}

func sample(t *testing.T, path string) {
	want := expectation(t, path)
	var paths []string
	for _, file := range want.Files {
		paths = append(paths, filepath.Join(filepath.Dir(path), file))
	}
	slices.Reverse(paths) // the order of names is not the order of time
	got, err := scan.Scan(t.Context(), paths, scan.Settings{Now: itsTime, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Troubles) != 0 {
		t.Errorf("troubles: %v", got.Troubles)
	}
	judgeRows(t, want, got)
	judgeRuns(t, want, got)
}

func expectation(t *testing.T, path string) expected {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want expected
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func judgeRows(t *testing.T, want expected, got *scan.Report) {
	t.Helper()
	doubted := func(url string) bool {
		return slices.ContainsFunc(want.Doubtful, func(n named) bool { return n.URL == url })
	}
	for _, w := range want.Open {
		i := slices.IndexFunc(got.Open, func(r scan.Row) bool { return r.URL == w.URL })
		switch {
		case doubted(w.URL):
		case i < 0:
			t.Errorf("%s (%s) is open and was not found so", w.URL, w.Name)
		case got.Open[i].Name != w.Name || got.Open[i].Account != want.Account ||
			got.Open[i].Server != want.Server || got.Open[i].Expires.IsZero() || got.Open[i].Line == 0:
			t.Errorf("found as %+v, want %s of %s at %s", got.Open[i], w.Name, want.Account, want.Server)
		}
	}
	for _, r := range slices.Concat(got.Open, got.Doubtful) {
		if !doubted(r.URL) && !slices.ContainsFunc(want.Open, func(n named) bool { return n.URL == r.URL }) {
			t.Errorf("found %+v, which was not open", r)
		}
	}
	for _, d := range want.Doubtful {
		if !slices.ContainsFunc(got.Doubtful, func(r scan.Row) bool { return r.URL == d.URL }) {
			t.Errorf("%s is not doubtful", d.URL)
		}
	}
}

func judgeRuns(t *testing.T, want expected, got *scan.Report) {
	t.Helper()
	var killed []scan.Run
	for r := range got.Runs {
		if r.Fate == client.Killed || r.Fate == client.Signaled {
			killed = append(killed, r)
		}
	}
	if len(killed) != len(want.Killed) {
		t.Fatalf("killed: %+v, want %+v", killed, want.Killed)
	}
	for i, w := range want.Killed {
		fate := client.Killed
		if w.Signal != 9 {
			fate = client.Signaled
		}
		if steps[w.Last] == "" || killed[i].Step != steps[w.Last] || killed[i].Fate != fate ||
			killed[i].Seconds() <= 0 {
			t.Errorf("killed: %+v, want %s, signal %d", killed[i], w.Last, w.Signal)
		}
	}
}

func TestALostNewOrderIsCounted(t *testing.T) {
	got, err := scan.Scan(t.Context(), []string{"testdata/logs/2.11-lost-neworder.log.gz"},
		scan.Settings{Now: itsTime})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Lost) != 1 || !slices.Equal(got.Lost[0].Names, []string{"a.example", "www.a.example"}) ||
		got.Lost[0].At.IsZero() {
		t.Errorf("lost: %+v", got.Lost)
	}
}

func TestWhatExpiredIsNotPending(t *testing.T) {
	got, err := scan.Scan(t.Context(), []string{"testdata/logs"},
		scan.Settings{Now: itsTime.AddDate(0, 0, 8)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Open)+len(got.Doubtful) != 0 {
		t.Errorf("open: %v, doubtful: %v", got.Open, got.Doubtful)
	}
}

// State belongs to the URL: all samples at once, in whatever order, say the same as each alone.
func TestAllSamplesAtOnce(t *testing.T) {
	all, err := filepath.Glob("testdata/logs/*.expect")
	if err != nil {
		t.Fatal(err)
	}
	open, doubtful := 0, 0
	for _, path := range all {
		want := expectation(t, path)
		doubtful += len(want.Doubtful)
		for _, w := range want.Open {
			if !slices.ContainsFunc(want.Doubtful, func(n named) bool { return n.URL == w.URL }) {
				open++
			}
		}
	}
	got, err := scan.Scan(t.Context(), []string{"testdata/logs"}, scan.Settings{Now: itsTime, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Open) != open || len(got.Doubtful) != doubtful {
		t.Errorf("open %d, want %d; doubtful %d, want %d", len(got.Open), open, len(got.Doubtful), doubtful)
	}
}
