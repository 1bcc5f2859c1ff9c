package scan

// State belongs to the URL: whatever order its sightings come in, and however many others there are.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"orderly/scan/client"
)

var moment = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)

// sighted is a sighting a number of minutes after moment.
func sighted(kind client.Kind, minutes int) client.Sighting {
	return client.Sighting{Kind: kind, URL: "https://ca.example/1", Name: "a.example", At: moment.Add(time.Duration(minutes) * time.Minute),
		Expires: moment.AddDate(0, 0, 7), Place: client.Place{Line: int64(minutes + 1)}}
}

func TestWhatAURLIs(t *testing.T) {
	shown := func(minutes int) client.Sighting {
		s := sighted(client.Final, minutes)
		s.Shown = true
		return s
	}
	odd := sighted(client.Odd, 1)
	odd.Reason = "torn"
	for _, c := range []struct {
		name  string
		seen  []client.Sighting
		open  bool
		doubt string
	}{
		{"named", []client.Sighting{sighted(client.Named, 0)}, true, ""},
		{"shown pending", []client.Sighting{sighted(client.Named, 0), sighted(client.Pending, 1)}, true, ""},
		{"final", []client.Sighting{sighted(client.Pending, 0), sighted(client.Final, 1)}, false, ""},
		{"answered", []client.Sighting{sighted(client.Pending, 0), sighted(client.Unanswered, 1)}, false,
			"its challenge was answered, and the log ends before the CA's answer"},
		{"answered, and pending at once after", []client.Sighting{sighted(client.Unanswered, 1), sighted(client.Pending, 2)}, false,
			"its challenge was answered, and the log ends before the CA's answer"},
		{"answered, and pending long after", []client.Sighting{sighted(client.Unanswered, 1), sighted(client.Pending, 20)}, true, ""},
		{"refused", []client.Sighting{sighted(client.Pending, 0), sighted(client.Refused, 2)}, true, ""},
		{"answered, and refused when answered again", []client.Sighting{sighted(client.Pending, 0), sighted(client.Unanswered, 1), sighted(client.Refused, 2)}, false,
			"its challenge was answered, and the log ends before the CA's answer"},
		{"shown final, and pending long after", []client.Sighting{shown(1), sighted(client.Pending, 30)}, false,
			"the log shows it final, and pending later"},
		{"answered, and pending while it is validated", []client.Sighting{sighted(client.Final, 1), sighted(client.Pending, 30)}, false, ""},
		{"torn", []client.Sighting{sighted(client.Named, 0), odd}, false, "torn"},
		{"torn, then final", []client.Sighting{odd, sighted(client.Final, 2)}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(c.seen, func(order []client.Sighting) {
				u := newURLs(moment)
				for _, s := range order {
					u.see(s)
				}
				left, beyond, err := u.left()
				if err != nil || beyond {
					t.Fatal(beyond, err)
				}
				switch {
				case c.open && (len(left) != 1 || left[0].reason() != ""):
					t.Errorf("%v: not open: %+v", order, left)
				case c.doubt != "" && (len(left) != 1 || left[0].reason() != c.doubt):
					t.Errorf("%v: not doubtful: %+v", order, left)
				case !c.open && c.doubt == "" && len(left) != 0:
					t.Errorf("%v: found %+v", order, left[0])
				}
			})
		})
	}
}

// each calls with every order of a few things.
func each[T any](all []T, do func([]T)) {
	if len(all) <= 1 {
		do(all)
		return
	}
	for i := range all {
		rest := slices.Concat(all[:i], all[i+1:])
		each(rest, func(order []T) { do(append([]T{all[i]}, order...)) })
	}
}

// However many are final: none of them is open, and every other one is.
func TestMoreFinalsThanFitIntoMemory(t *testing.T) {
	u := newURLs(moment)
	u.finals.limit = 1024
	defer u.close()
	random := rand.New(rand.NewPCG(7, 7))
	const all = 20_000
	want := 0
	for _, i := range random.Perm(2 * all) {
		s := sighted(client.Pending, 1)
		s.URL = fmt.Sprint("https://ca.example/", i/2)
		final := i/2%10 != 0
		if i%2 == 1 {
			if !final {
				want++
				continue
			}
			s.Kind = client.Final
		}
		u.see(s)
	}
	left, beyond, err := u.left()
	if err != nil || beyond || len(left) != want {
		t.Errorf("%d left, want %d (%v, %v)", len(left), want, beyond, err)
	}
	if u.finals.file == nil {
		t.Error("nothing went into the file")
	}
}

func TestWhatDeathsHaveInCommon(t *testing.T) {
	var runs []Run
	add := func(n int, fate client.Fate, step client.Step, seconds float64) {
		for i := range n {
			d := time.Duration((seconds + float64(i%3)/4) * float64(time.Second))
			runs = append(runs, Run{Fate: fate, Step: step, Began: moment, Ended: moment.Add(d)})
		}
	}
	add(180, client.Killed, client.Poll, 59.5)
	add(32, client.Killed, client.NewOrder, 59.5)
	add(5, client.Signaled, client.Challenge, 12)
	add(4, client.Killed, client.Finalize, 130)
	add(500, client.Whole, client.Certificate, 20)
	d := DeathsOf(slices.Values(runs))
	if d.Runs != 221 || len(d.Timeouts) != 1 {
		t.Fatalf("%+v", d)
	}
	if got := d.Timeouts[0]; got.Runs != 212 || got.Step != client.Poll || got.AtStep != 180 || got.Seconds != 60 {
		t.Errorf("%+v", got)
	}
	if got := d.Steps[0]; got.Step != client.Poll || got.Runs != 180 || got.Shortest != 59.5 || got.Longest != 60 {
		t.Errorf("%+v", got)
	}
	if got := DeathsOf(slices.Values([]Run(nil))); got.Runs != 0 || len(got.Timeouts) != 0 {
		t.Errorf("of none: %+v", got)
	}
}

// What dies young dies of something else than a time-out.
func TestRunsThatDieYoungHaveNoTimeoutInCommon(t *testing.T) {
	var all []Run
	for i := range 30 {
		began := time.Date(2026, 11, 28, 3, i, 0, 0, time.UTC)
		all = append(all, Run{Began: began, Ended: began.Add(time.Duration(i) * 30 * time.Millisecond),
			Fate: client.Killed, Step: client.Challenge})
	}
	if d := DeathsOf(slices.Values(all)); d.Runs != 30 || len(d.Timeouts) != 0 {
		t.Errorf("%+v", d)
	}
}
