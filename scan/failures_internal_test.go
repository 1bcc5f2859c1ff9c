package scan

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"orderly/diagnose"
	"orderly/scan/client"
)

// However many failures logs make up, what is kept of them is bounded, and what was kept first stays.
func TestFailuresAreBounded(t *testing.T) {
	before := heap()
	s := newFailures(diagnose.Here{})
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxFailures + 1000 {
		name := fmt.Sprintf("name%d.example", i)
		f := client.Failure{Client: "certbot", Lineage: name, Names: []string{name}, Text: "DNS problem: NXDOMAIN",
			At: at, Place: client.Place{Line: int64(i)}}
		for day := range 3 {
			f.At = at.AddDate(0, 0, day)
			s.fail(uint32(i%1500), f)
		}
		s.renew(fmt.Sprint("web", i%1500), client.Renewal{Lineage: name, At: at})
	}
	t.Logf("%d MB", (heap()-before)>>20)
	if len(s.rows) != maxFailures || !s.beyond || len(s.words) > 4*maxFailures || s.length > maxWords || len(s.said) > maxSaid || len(s.renewed) > maxRenewals {
		t.Errorf("%d failures, %d words, %d texts, %d renewals; said: %v", len(s.rows), len(s.words), len(s.said), len(s.renewed), s.beyond)
	}
	if grown := (heap() - before) >> 20; grown > 40 {
		t.Errorf("%d MB", grown)
	}
	runtime.KeepAlive(s)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
