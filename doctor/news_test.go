package doctor_test

import (
	"encoding/json"
	"testing"
	"time"

	"orderly/doctor"
)

// New is what was not there, what is worse, and what comes back after it was mended for a week; words,
// lines and dates that change are no news.
func TestOnlyWhatIsNewIsTold(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var before *doctor.Seen
	look := func(days int, partial bool, all ...doctor.Finding) (ids string) {
		t.Helper()
		now = now.Add(time.Duration(days) * 24 * time.Hour)
		fresh, seen := doctor.Report{Findings: all, At: now, Partial: partial}.New(before)
		text, err := json.Marshal(seen)
		if err != nil {
			t.Fatal(err)
		}
		if before, err = doctor.ReadSeen(text); err != nil {
			t.Fatal(err)
		}
		for _, f := range fresh.Findings {
			ids += f.ID + " "
		}
		return ids
	}
	gone := doctor.Finding{ID: "D21", Lineage: "a.example", Names: []string{"a.example"}, Severity: doctor.WillFail, Sentence: "gone since 1 day"}
	link := doctor.Finding{ID: "D14", Lineage: "b.example", Severity: doctor.Fails, File: "/live/b.example/cert.pem", Line: 1}
	for i, step := range []struct {
		days    int
		partial bool
		found   []doctor.Finding
		want    string
	}{
		{0, false, []doctor.Finding{gone, link}, "D21 D14 "},
		{1, false, []doctor.Finding{with(gone, func(f *doctor.Finding) { f.Sentence = "gone since 2 days" }), with(link, func(f *doctor.Finding) { f.Line = 7 })}, ""},
		{1, false, []doctor.Finding{with(gone, func(f *doctor.Finding) { f.Severity = doctor.Fails }), link}, "D21 "},
		{1, false, []doctor.Finding{gone, link}, ""}, // better is no news
		{1, false, []doctor.Finding{link}, ""},
		{1, false, []doctor.Finding{gone, link}, ""}, // it flaps
		{1, false, []doctor.Finding{gone, with(gone, func(f *doctor.Finding) { f.Names = []string{"www.a.example"} }), link}, "D21 "},
		{1, false, []doctor.Finding{gone, link}, ""},
		{1, false, []doctor.Finding{with(gone, func(f *doctor.Finding) { f.Names = []string{"www.a.example"} }), link}, ""}, // one name flaps
		{8, true, []doctor.Finding{with(gone, func(f *doctor.Finding) { f.Names = []string{"www.a.example"} })}, ""},
		{1, true, []doctor.Finding{gone}, "D21 "},    // its other name was well for more than a week
		{10, true, []doctor.Finding{gone, link}, ""}, // nobody looked for the other
	} {
		if got := look(step.days, step.partial, step.found...); got != step.want {
			t.Errorf("look %d: new are %q, not %q", i, got, step.want)
		}
	}
	if _, err := doctor.ReadSeen([]byte(`{"version":3}`)); err == nil {
		t.Error("another version is read")
	}
}

func with(f doctor.Finding, change func(*doctor.Finding)) doctor.Finding {
	change(&f)
	return f
}

// A finding that was gone for longer than a week was mended, and is news again.
func TestWhatComesBackAfterAWeekIsNew(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	if err := d.Lead(1, "privkey"); err != nil {
		t.Fatal(err)
	}
	fresh, seen := p.examine().New(nil)
	if len(fresh.Findings) == 0 {
		t.Fatal("nothing is new")
	}
	if fresh, _ = p.examine().New(&seen); len(fresh.Findings) != 0 {
		t.Errorf("again: %+v", fresh.Findings)
	}
	p.now = p.now.Add(8 * 24 * time.Hour)
	if fresh, _ = p.examine().New(&seen); len(fresh.Findings) == 0 {
		t.Error("after a week: nothing is new")
	}
}
