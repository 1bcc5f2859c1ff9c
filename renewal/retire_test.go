package renewal_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/renewal"
	"orderly/testca"
)

// retired reports whether a lineage is put aside, whole, and nothing of it is in its place.
func (h *machine) retired(name string) bool {
	h.t.Helper()
	_, ok := h.disk().RetiredAs(name)
	for _, place := range []string{"live", "archive"} {
		if _, err := os.Stat(filepath.Join(h.disk().Dirs.Config, "orderly/retired", name, place, name)); err != nil {
			return false
		}
	}
	return ok && h.gone(name)
}

// retire is a run that puts a lineage aside.
func (h *machine) retire(name string) error {
	h.t.Helper()
	s := h.process("retire")
	err := s.Retire(h.t.Context(), name)
	must(h.t, s.End("done", 0, ""))
	h.vanish()
	return err
}

func TestOnlyWhatIsCertainlyElsewhereIsPutAside(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	p := h.movable()
	for name, c := range map[string]struct {
		prepare func(name string)
		class   failure.Class
		words   string
	}{
		"served":    {func(string) {}, failure.Config, "is served from here"},
		"elsewhere": {func(name string) { p.points(name, elsewhere) }, "", ""},
		"dead":      {func(name string) { p.points(name, "") }, "", ""},
		"elsewhere, and its document root is gone": {func(name string) {
			p.points(name, elsewhere)
			must(t, os.RemoveAll(h.root(name)))
		}, "", ""},
		"here, and not served": {func(name string) {
			must(t, os.Rename(h.root(name), h.root(name)+"-moved"))
			must(t, os.Symlink(h.root("none"), h.root(name)))
			h.edit(name, "webroot_path = "+h.root(name)+",", "webroot_path = "+h.root(name)+"-moved,")
			h.edit(name, name+" = "+h.root(name), name+" = "+h.root(name)+"-moved")
		}, failure.Config, "nothing says that this is elsewhere"},
		"here, and its document root is gone": {func(name string) { must(t, os.RemoveAll(h.root(name))) }, failure.Config, "nothing says that this is elsewhere"},
		"dns fails":                           {func(name string) { p.points(name, "servfail") }, failure.DNSBroken, "cannot be asked"},
		"proven by a hook": {func(name string) {
			p.points(name, elsewhere)
			h.edit(name, "authenticator = webroot", "authenticator = manual\nmanual_auth_hook = true")
		}, failure.Config, "cannot be asked"},
	} {
		name := strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", "") + ".example"
		h.has(name)
		c.prepare(name)
		err := h.retire(name)
		switch {
		case c.class == "":
			if err != nil || !h.retired(name) {
				t.Errorf("%s: %v, %s", name, err, failure.RemedyOf(err))
			}
		case failure.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.words) || failure.RemedyOf(err) == "" || h.gone(name):
			t.Errorf("%s: class %q, %v; gone: %t", name, failure.ClassOf(err), err, h.gone(name))
		}
	}
	// behind NAT, nothing is known of what is ours
	h.has("nat.example")
	p.points("nat.example", elsewhere)
	h.set.Fleet = nil
	if err := h.retire("nat.example"); failure.ClassOf(err) != failure.Config || !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.FleetAddresses, "FILE"))) {
		t.Errorf("%v, %s", err, failure.RemedyOf(err))
	}
	h.set.Fleet = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	if err := h.retire("nat.example"); failure.ClassOf(err) != failure.Config {
		t.Errorf("an address of the fleet: %v", err)
	}
}

// What was put aside is renewed no more, and whoever asks for it is told so.
func TestWhatIsPutAsideIsNotRenewed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	p := h.movable()
	h.has("a.example", "b.example")
	h.due("a.example")
	p.points("a.example", elsewhere)
	must(t, h.retire("a.example"))
	orders := len(h.ca.Truth().Orders)
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "b.example kept" || len(h.ca.Truth().Orders) != orders {
		t.Errorf("%s, %d orders", got, len(h.ca.Truth().Orders)-orders)
	}
	_, err = h.renew(renewal.Round{CertName: "a.example"})
	if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "No certificate found with name a.example") ||
		!strings.Contains(err.Error(), "was put aside") || !strings.Contains(string(failure.RemedyOf(err)), string(failure.Do(failure.Unretire, "a.example"))) {
		t.Errorf("%v, %s", err, failure.RemedyOf(err))
	}
	if err := h.retire("a.example"); failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "was put aside") {
		t.Error(err)
	}
	p.points("a.example", "127.0.0.1")
	s := h.process("retire --undo")
	must(t, s.Unretire(t.Context(), "a.example"))
	must(t, s.End("done", 0, ""))
	results, err = h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued, b.example kept" {
		t.Error(got)
	}
}

func TestARetirementKilledAnywhereIsFinishedByTheNextRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	p := h.movable()
	over := 0
	for at := 1; ; at++ {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		if at%4 == 0 {
			h.left("challenge", false, name)
		}
		p.points(name, elsewhere)
		died := h.killed(at, "retire "+name, func(s *renewal.Server) error { return s.Retire(t.Context(), name) })
		p.points(name, "127.0.0.1") // what an earlier run left is gone on with
		h.night()
		switch {
		case h.retired(name):
			over++
		case over > 0 || !h.whole(name):
			t.Errorf("killed at effect %d: it is neither whole nor put aside", at)
		}
		if !died {
			break
		}
	}
	if over < 8 {
		t.Errorf("only %d came to their end", over)
	}
	// and so is the way back
	names, err := h.disk().Retired()
	must(t, err)
	back := 0
	for i, one := range names {
		h.killed(i+1, "retire --undo", func(s *renewal.Server) error { return s.Unretire(t.Context(), one.Name) })
		h.night()
		switch {
		case h.whole(one.Name):
			back++
		case back > 0 || !h.retired(one.Name):
			t.Errorf("killed at effect %d: it is neither back nor put aside", i+1)
		}
	}
	if back < 6 {
		t.Errorf("only %d came back", back)
	}
}

// What another program made in its place meanwhile is not put aside.
func TestAnUnfinishedRetirementSparesWhatCameAfter(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	p := h.movable()
	h.has(name)
	p.points(name, elsewhere)
	for at := 1; ; at++ {
		if !h.killed(at, "retire", func(s *renewal.Server) error { return s.Retire(t.Context(), name) }) {
			t.Fatal("the kill did not come")
		}
		if tasks, err := h.ledger.Tasks(t.Context()); err != nil || len(tasks) > 0 {
			break // the intent is durable, and nothing is moved yet
		}
	}
	h.edit(name, "version = ", "# by certbot\nversion = ")
	h.night()
	if !h.whole(name) || !slices.ContainsFunc(h.report.warnings, func(w string) bool { return strings.Contains(w, "is given up") }) {
		t.Errorf("whole: %t, said: %q", h.whole(name), h.report.warnings)
	}
}

// Who repeats the command that was killed is told that it is done.
func TestARetirementIsRepeatedAfterAKill(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	p := h.movable()
	for at := 3; at < 60; at += 3 {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		p.points(name, elsewhere)
		if !h.killed(at, "retire", func(s *renewal.Server) error { return s.Retire(t.Context(), name) }) {
			break
		}
		s := h.process("retire")
		if err := s.Retire(t.Context(), name); err != nil || !h.retired(name) {
			if _, ended := h.disk().RetiredAs(name); !ended || !strings.Contains(fmt.Sprint(err), "was put aside") {
				t.Errorf("killed at effect %d: %v", at, err)
			}
		}
		h.vanish()
	}
}

func TestWhatHasBeenAwayForAMonthIsListed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("elsewhere.example", "dead.example", "lately.example", "unseen.example", "renewed.example", "here.example")
	now := h.clock.Now()
	after := func(days int) time.Time { return now.Add(time.Duration(days) * 24 * time.Hour) }
	must(t, h.ledger.Commit(t.Context(), &ledger.Change{Sightings: []ledger.Sighting{
		{Name: "elsewhere.example", ElsewhereSince: after(2), LookedAt: after(32)},
		{Name: "dead.example", DeadSince: after(1), LookedAt: after(40)},
		{Name: "lately.example", ElsewhereSince: after(1), LookedAt: after(30)}, // nobody has looked since
		{Name: "unseen.example"},
		{Name: "renewed.example", ElsewhereSince: after(-90), LookedAt: after(40)},
		{Name: "here.example", ServedAt: after(40), LookedAt: after(40)},
	}}))
	list, err := renewal.ReadAway(t.Context(), h.disk(), h.ledger)
	must(t, err)
	var got []string
	for _, a := range list {
		got = append(got, a.Lineage)
	}
	if !slices.Equal(got, []string{"dead.example", "elsewhere.example"}) || !list[0].Since.Equal(after(1).Truncate(time.Microsecond)) || len(list[0].Names) != 1 {
		t.Errorf("%+v", list)
	}
}

// What is put aside because another one has its names goes by the same task: a kill at any effect
// leaves it whole, or the next run ends what was begun. What somebody works on, and what is not
// certain at the last moment, is left.
func TestWhatIsSparedIsWholeOrAside(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	sure := func() error { return nil }
	over, meant := 0, 0
	for at := 1; ; at++ {
		name := fmt.Sprintf("a%d.example.com", at)
		h.has(name)
		died := h.killed(at, "doctor --fix", func(s *renewal.Server) error { return s.Spare(t.Context(), name, sure) })
		tasks, err := h.ledger.Tasks(t.Context())
		must(t, err)
		untouched := len(tasks) > 0 && h.whole(name)
		h.night()
		if untouched {
			meant++
		}
		switch {
		case untouched && h.retired(name):
			t.Errorf("killed at effect %d: it was put aside by another run, which asked nobody", at)
		case h.retired(name):
			over++
		case over > 0 || !h.whole(name):
			t.Errorf("killed at effect %d: it is neither whole nor put aside", at)
		}
		if !died {
			break
		}
	}
	if over < 4 || meant == 0 {
		t.Errorf("only %d came to their end, and %d were meant alone", over, meant)
	}
	h.has("b.example.com")
	other, s := h.process("renew"), h.process("doctor --fix")
	unlock, err := other.Locks.Lock(t.Context(), order.LineageLock("b.example.com"))
	must(t, err)
	if err := s.Spare(t.Context(), "b.example.com", sure); failure.ClassOf(err) != failure.Locked {
		t.Errorf("under another run: %v", err)
	}
	must(t, unlock())
	doubt := failure.New(failure.Config, "", "it is in use")
	if err := s.Spare(t.Context(), "b.example.com", func() error { return doubt }); err == nil || !h.whole("b.example.com") {
		t.Errorf("in use: %v", err)
	}
}
