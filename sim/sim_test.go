package sim_test

import (
	"testing"

	"orderly/sim"
)

// Under the race detector a whole year is slow: `make simulate` plays those.
func short(seed uint64) sim.Options {
	return sim.Options{Seed: seed, Lineages: 15, Days: 60}
}

func TestNoInvariantIsBreached(t *testing.T) {
	issued, crashes, atOnce := 0, 0, 0
	for seed := uint64(1); seed <= 12; seed++ {
		r := sim.Run(short(seed))
		if r.Failure != nil {
			t.Errorf("seed %d: %v (go run ./cmd/simulate -lineages 15 -days 60 -seeds 1 -from %d)", seed, r.Failure, seed)
		}
		issued, crashes, atOnce = issued+r.Issued, crashes+r.Crashes, atOnce+r.AtOnce
	}
	if issued < 100 || crashes < 20 || atOnce < 100 {
		t.Errorf("little was tried: %d certificates, %d kills, %d at once with others", issued, crashes, atOnce)
	}
}

// A seed that does not replay is worth nothing: neither what is recorded nor what runs beside it may change a year.
func TestASeedReplaysExactly(t *testing.T) {
	for seed := uint64(20); seed < 24; seed++ {
		first := sim.Run(short(seed))
		beside := make(chan sim.Result)
		go func() { beside <- sim.Run(short(seed + 100)) }()
		recorded := short(seed)
		recorded.Record = true
		again := sim.Run(recorded)
		if other := <-beside; other.Hash == first.Hash {
			t.Errorf("seeds %d and %d are the same year", seed, seed+100)
		}
		if again.Hash != first.Hash || again.Steps != first.Steps {
			t.Errorf("seed %d: %x in %d steps, then %x in %d", seed, first.Hash, first.Steps, again.Hash, again.Steps)
		}
		if len(again.Trace) == 0 || len(again.Fired) == 0 {
			t.Errorf("seed %d: nothing was recorded", seed)
		}
	}
}

// What is left out must be left out, and the rest of the year must still be played.
func TestAYearMadeSmaller(t *testing.T) {
	o := short(30)
	o.Record = true
	whole := sim.Run(o)
	o.Only = []int{3, 4}
	o.Without = map[string]bool{"kill": true, "outage": true}
	small := sim.Run(o)
	if small.Failure != nil {
		t.Fatal(small.Failure)
	}
	if small.Crashes >= whole.Crashes || small.Faults["kill"] != 0 || small.Faults["outage"] != 0 || small.Issued == 0 || small.Issued >= whole.Issued {
		t.Errorf("%d kills of %d, %v, %d certificates of %d", small.Crashes, whole.Crashes, small.Faults, small.Issued, whole.Issued)
	}
	for _, e := range small.Trace {
		if e.Lineage == "l5" {
			t.Errorf("a lineage that was left out: %s", e)
		}
	}
}

func BenchmarkYear(b *testing.B) {
	for i := range b.N {
		if r := sim.Run(sim.Options{Seed: uint64(i + 1)}); r.Failure != nil {
			b.Fatal(r.Failure)
		}
	}
}
