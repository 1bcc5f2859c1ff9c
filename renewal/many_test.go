package renewal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// spoken keeps what a person would read, from any goroutine, each line with who said it.
type spoken struct {
	mu    sync.Mutex
	lines []string
	// heard, where set, is told of each line after it is kept.
	heard func(line string)
}

func (s *spoken) keep(kind, format string, args ...any) {
	line := kind + fmt.Sprintf(format, args...)
	s.mu.Lock()
	s.lines = append(s.lines, line)
	s.mu.Unlock()
	if s.heard != nil {
		s.heard(line)
	}
}

// Say implements host.Reporter.
func (s *spoken) Say(format string, args ...any) { s.keep("", format, args...) }

// Tell implements host.Reporter.
func (s *spoken) Tell(format string, args ...any) { s.keep("told: ", format, args...) }

// Warn implements host.Reporter.
func (s *spoken) Warn(format string, args ...any) { s.keep("warning: ", format, args...) }

// blocks are what was said of each lineage, told ones left out.
func (s *spoken) blocks() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, all := "", map[string][]string{}
	for _, line := range s.lines {
		if path, begins := strings.CutPrefix(line, "begin "); begins {
			of = strings.TrimSuffix(filepath.Base(path), ".conf")
		}
		if !strings.HasPrefix(line, "told: ") {
			all[of] = append(all[of], line)
		}
		if strings.HasPrefix(line, "end ") {
			of = ""
		}
	}
	return all
}

// many is a round over many lineages at once, told whole.
func (h *machine) many(jobs int, round renewal.Round) (*spoken, []renewal.Result, error) {
	h.t.Helper()
	s := &spoken{}
	h.tells, h.set.Jobs = s, jobs
	round.Looking = func(path string) { s.Say("begin %s", path) }
	round.Looked = func(r renewal.Result) { s.Say("end %s %s", r.Lineage, r.Outcome) }
	results, err := h.renew(round)
	return s, results, err
}

// sites are n names, each with a certificate that is due.
func (h *machine) sites(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("s%02d.example", i))
	}
	h.has(names...)
	h.due(names...)
	return names
}

// deploys gives a lineage a deploy hook, run as a program of its own.
func (h *machine) deploys(lineage, command string) {
	script := filepath.Join(h.dir, "deploy-"+lineage)
	must(h.t, os.WriteFile(script, []byte("#!/bin/sh\n"+command+"\n"), 0o755))
	h.edit(lineage, "[renewalparams]\n", "[renewalparams]\nrenew_hook = "+script+"\n")
}

// Twenty lineages, three of them broken, four at a time: each good one has one order, deploy hooks
// are never two at a time and each is told of its own lineage, and what is said of a lineage stands
// together.
func TestManyAtOnceAreEachRenewedOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(20)
	busy := filepath.Join(h.dir, "busy")
	for _, name := range names {
		h.deploys(name, fmt.Sprintf("mkdir %s || echo two at once >> %s; echo $RENEWED_LINEAGE $RENEWED_DOMAINS >> %s; echo of %s; rmdir %s",
			busy, filepath.Join(h.dir, "notes"), filepath.Join(h.dir, "notes"), name, busy))
	}
	for _, broken := range names[3:6] {
		must(t, os.RemoveAll(h.root(broken)))
	}
	before := h.ordered()
	said, results, err := h.many(4, renewal.Round{})
	must(t, err)
	var listed, failed, deployed []string
	for _, r := range results {
		listed = append(listed, r.Lineage)
		if r.Outcome != renewal.Issued {
			failed = append(failed, r.Lineage)
			if !r.Refused || r.Made != 0 {
				t.Errorf("%s: refused %t, %d orders", r.Lineage, r.Refused, r.Made)
			}
		} else if r.Made != 1 || r.Started.IsZero() || r.Ended.Before(r.Started) {
			t.Errorf("%s: %d orders, from %s to %s", r.Lineage, r.Made, r.Started, r.Ended)
		}
	}
	if !slices.Equal(listed, names) || !slices.Equal(failed, names[3:6]) || h.ordered() != before+17 || h.ca.Truth().Pending() != 0 {
		t.Errorf("of %v failed %v; %d orders, %d pending", listed, failed, h.ordered()-before, h.ca.Truth().Pending())
	}
	for note := range strings.SplitSeq(h.notes(), "; ") {
		path, name, _ := strings.Cut(note, " ")
		if deployed = append(deployed, name); filepath.Base(path) != name {
			t.Errorf("a deploy hook was told %q", note)
		}
	}
	slices.Sort(deployed)
	if want := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(failed, n) }); !slices.Equal(deployed, want) {
		t.Errorf("deploy hooks ran for %v", deployed)
	}
	blocks := said.blocks()
	if len(blocks) != 20 || len(blocks[""]) != 0 {
		t.Errorf("%d blocks, and beside them %q", len(blocks), blocks[""])
	}
	for name, lines := range blocks {
		for _, line := range lines {
			if !strings.Contains(line, name) {
				t.Errorf("in the block of %s stands %q", name, line)
			}
		}
		if slices.Contains(deployed, name) && !strings.Contains(strings.Join(lines, "\n"), "Renewing an existing certificate for "+name+"\nHook 'deploy-hook' ran with output:\n of "+name) {
			t.Errorf("the block of %s is %q", name, lines)
		}
	}
}

// Two lineages that the CA does not answer hold up nobody, though there are no more than two slots.
func TestWhoHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.sites(6)
	h.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Hold})
	h.ca.Inject(testca.Fault{Kind: "new-order", Nth: 2, Action: testca.Hold})
	s := &spoken{}
	h.tells, h.set.Jobs = s, 2
	var done []string
	round := renewal.Round{Looked: func(r renewal.Result) {
		if done = append(done, r.Lineage); len(done) == 4 {
			h.ca.Release() // the other four are done, with both slots' holders waiting
		}
	}}
	results, err := h.renew(round)
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 6 || len(h.ca.Truth().Orders) != 12 {
		t.Errorf("%s: %v", got, done)
	}
}

// Web servers that do not answer the checks hold up nobody either.
func TestAWebServerThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(6)
	var hung atomic.Int32
	release := make(chan struct{})
	h.visited = func(path string) {
		if strings.Contains(path, "/orderly-") && hung.Add(1) <= 2 {
			<-release
		}
	}
	h.tells, h.set.Jobs = &spoken{}, 2
	var done []string
	round := renewal.Round{Looked: func(r renewal.Result) {
		if done = append(done, r.Lineage); len(done) == 4 {
			close(release)
		}
	}}
	results, err := h.renew(round)
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 6 || slices.Contains(done[:4], names[0]) || slices.Contains(done[:4], names[1]) {
		t.Errorf("%s: %v", got, done)
	}
}

// Lineages that share a name take turns, also where two of them share no name with one another, and
// nobody waits for ever.
func TestLineagesThatShareANameTakeTurns(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example", "b.example", "c.example", "d.example", "e.example")
	sets := [][]string{{"a.example", "b.example"}, {"b.example", "c.example"}, {"c.example", "a.example"}, {"a.example", "b.example"}, {"d.example"}, {"d.example", "e.example"}}
	for i, names := range sets {
		w := h.wish(names...)
		w.CertName, w.Duplicate = fmt.Sprintf("l%d", i), true
		s := h.process("certonly")
		if r := s.Obtain(t.Context(), w); r.Outcome != renewal.Issued {
			t.Fatalf("%+v", r)
		}
		must(t, errors.Join(s.Finish(t.Context()), s.End("done", 0, "")))
		h.due(w.CertName)
	}
	_, results, err := h.many(8, renewal.Round{})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != len(sets) {
		t.Fatal(got)
	}
	for _, r := range results {
		if r.Made != 1 {
			t.Errorf("%s: %d orders", r.Lineage, r.Made)
		}
	}
	var spans []renewal.Result
	for _, r := range results {
		for _, other := range spans {
			shares := slices.ContainsFunc(r.Names, func(n string) bool { return slices.Contains(other.Names, n) })
			if shares && r.Started.Before(other.Ended) && other.Started.Before(r.Ended) {
				t.Errorf("%s and %s share a name, and were worked on at once", r.Lineage, other.Lineage)
			}
		}
		spans = append(spans, r)
	}
}

// The first renewal of many makes the account for all.
func TestManyAtOnceMakeOneAccount(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.sites(5)
	other, err := testca.Start(testca.Config{HTTPPort: h.port, Now: h.clock.Now})
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	h.ca, h.set.Resolver = other, other.Resolver()
	round := renewal.Round{Said: host.Said{Server: other.DirectoryURL()}}
	round.Registration.AgreeTOS, round.Registration.NoEmail = true, true
	_, results, err := h.many(5, round)
	must(t, err)
	if n := h.ca.Truth().RequestsByKind["new-account"]; strings.Count(outcomes(results), "issued") != 5 || n != 1 {
		t.Errorf("%s, %d newAccounts: %v", outcomes(results), n, results[0].Err)
	}
}

// breaking panics when the first order of a lineage is to be made durable.
type breaking struct {
	ledger.Store
	lineage string
}

// Commit implements ledger.Store.
func (b breaking) Commit(ctx context.Context, c *ledger.Change) error {
	for _, o := range c.Orders {
		if o.Lineage == b.lineage {
			panic("a nil map")
		}
	}
	return b.Store.Commit(ctx, c)
}

// A panic is one lineage's failure, and leaves nothing locked.
func TestAPanicIsOneLineages(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(4)
	h.through = breaking{h.ledger, names[1]}
	_, results, err := h.many(2, renewal.Round{})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 3 || results[1].Class != failure.Internal ||
		!strings.Contains(results[1].Sentence, names[1]) {
		t.Errorf("%s: %+v", got, results[1])
	}
	h.through = nil
	if _, results, err = h.many(2, renewal.Round{}); err != nil || results[1].Outcome != renewal.Issued {
		t.Errorf("afterwards: %v %+v", err, results[1])
	}
}

// What concerns all ends the round: nothing more is begun.
func TestALedgerThatCannotBeWrittenEndsTheRoundOfMany(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.sites(6)
	before := h.ordered()
	h.through = full{h.ledger}
	h.tells, h.set.Jobs = &spoken{}, 2
	_, err := h.process("renew").RenewAll(t.Context(), renewal.Round{})
	if failure.ClassOf(err) != failure.Ledger || h.ordered() != before {
		t.Errorf("%v, %d orders", err, h.ordered()-before)
	}
}

// full is a ledger on a full disk.
type full struct{ ledger.Store }

// Commit implements ledger.Store.
func (f full) Commit(ctx context.Context, c *ledger.Change) error {
	if len(c.Orders) > 0 {
		return failure.New(failure.Ledger, "Make room.", "the disk is full")
	}
	return f.Store.Commit(ctx, c)
}

// A signal ends all of them at once, and the next run goes on with each: one order a lineage.
func TestASignalEndsManyAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{OrdersList: true})
	names := h.sites(6)
	for range 3 {
		h.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Hold})
	}
	ctx, signal := context.WithCancelCause(t.Context())
	h.tells, h.set.Jobs = &spoken{}, 3
	s := h.process("renew")
	go func() {
		for range 3 {
			<-h.ca.Held()
		}
		signal(errors.New("SIGTERM"))
	}()
	began := time.Now()
	results, err := s.RenewAll(ctx, renewal.Round{})
	if failure.ClassOf(err) != failure.Stopped || time.Since(began) > time.Minute || strings.Count(outcomes(results), "stopped") < 3 {
		t.Errorf("%v after %s: %s", err, time.Since(began), outcomes(results))
	}
	must(t, s.Finish(ctx))
	must(t, s.End("stopped", 75, ""))
	h.ca.ClearFaults()
	h.ca.Release()
	h.openLocks()
	h.clock.hasten(true)
	s = h.process("renew")
	left, err := s.ResumeOwn(t.Context())
	must(t, err)
	rest, err := s.RenewAll(t.Context(), renewal.Round{})
	must(t, err)
	all := outcomes(append(left, rest...))
	for _, name := range names {
		if !strings.Contains(all, name+" issued") {
			t.Errorf("%s: %s", name, all)
		}
	}
	if h.ca.Truth().Pending() != 0 {
		t.Errorf("%d pending", h.ca.Truth().Pending())
	}
}

// What a pre-hook of its own stops, or what needs the port, is worked on by itself, after the
// others; a lineage that failed last time is not the first.
func TestInWhichOrderManyAreWorkedOn(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := []string{"s0.example", "s1.example", "s2.example", "s3.example"}
	for _, name := range names {
		h.inTurn(name, func(*renewal.Wish) {})
	}
	h.due(names...)
	h.edit(names[0], "[renewalparams]\n", "[renewalparams]\npre_hook = "+h.note("pre")+"\n")
	must(t, h.ledger.Commit(t.Context(), &ledger.Change{Standings: []ledger.Standing{{Lineage: names[1], Failures: 1,
		Reason: ledger.Reason{Class: string(failure.Validation), Sentence: "no"}, NextAt: h.clock.Now()}}}))
	_, results, err := h.many(2, renewal.Round{})
	must(t, err)
	begun := func(i int) time.Time { return results[i].Started }
	if strings.Count(outcomes(results), "issued") != 4 || begun(1).Before(begun(2)) || begun(1).Before(begun(3)) {
		t.Errorf("%s: what failed was begun at %s", outcomes(results), begun(1))
	}
	for i := 1; i < 4; i++ {
		if begun(0).Before(results[i].Ended) {
			t.Errorf("%s was worked on beside %s, whose web server it may stop", names[0], names[i])
		}
	}
}

// wholeHook is a hook for a whole round, as a program of its own that notes what it is told.
func (h *machine) wholeHook() string {
	script := filepath.Join(h.dir, "once")
	must(h.t, os.WriteFile(script, []byte("#!/bin/sh\necho once $RENEWED_LINEAGE of $RENEWED_DOMAINS >> "+filepath.Join(h.dir, "notes")+"\n"), 0o755))
	return script
}

// The deploy hook of a round runs once, at its end, for all that were put in place; where nothing was,
// not at all, and where the run died before, by the next one.
func TestADeployHookOfTheWholeRoundRunsOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(4)
	must(t, os.RemoveAll(h.root(names[2])))
	h.set.DeployOnce = h.wholeHook()
	h.edit(names[0], "[renewalparams]\n", "[renewalparams]\npost_hook = echo post >> "+filepath.Join(h.dir, "notes")+"\n")
	told := func(names ...string) string {
		var paths []string
		for _, name := range names {
			paths = append(paths, filepath.Join(h.dir, "etc/live", name))
		}
		slices.Sort(names)
		return "once " + strings.Join(paths, " ") + " of " + strings.Join(names, " ")
	}
	_, results, err := h.many(4, renewal.Round{})
	must(t, err)
	once, rest, _ := strings.Cut(h.notes(), "; ")
	paths, of, _ := strings.Cut(strings.TrimPrefix(once, "once "), " of ")
	all := strings.Fields(paths)
	slices.Sort(all)
	good := []string{names[0], names[1], names[3]}
	if got := "once " + strings.Join(all, " ") + " of " + of; got != told(good...) || rest != "post" || len(h.debts()) != 0 {
		t.Errorf("%s: %q, owed %v", outcomes(results), h.notes(), h.debts())
	}
	must(t, os.Remove(filepath.Join(h.dir, "notes")))
	for _, name := range good {
		must(t, os.RemoveAll(h.root(name)))
	}
	if _, _, err = h.many(4, renewal.Round{}); err != nil || strings.Contains(h.notes(), "once") || len(h.debts()) != 0 {
		t.Errorf("nothing was put in place: %v %q, owed %v", err, h.notes(), h.debts())
	}
	h.site(names...) // a run that dies with the hook owed
	s := h.process("renew")
	if _, err := s.RenewAll(t.Context(), renewal.Round{CertName: names[1]}); err != nil || len(h.debts()) != 1 {
		t.Fatalf("%v, owed %v", err, h.debts())
	}
	h.openLocks()
	h.set.DeployOnce = ""
	s = h.process("resume")
	must(t, errors.Join(s.PayDebts(t.Context()), s.Finish(t.Context())))
	if got := h.notes(); got != told(names[1]) || len(h.debts()) != 0 {
		t.Errorf("the next run: %q, owed %v", got, h.debts())
	}
}

// What another client put in place while an order was under way stays, and the round says so.
func TestARoundSaysWhatWasSuperseded(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(1)
	h.ca.Inject(testca.Fault{Kind: "certificate", Nth: 1, Action: testca.Hold})
	go func() {
		<-h.ca.Held()
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(h.dir, "etc/live", names[0], "cert.pem"), later, later); err != nil {
			t.Error(err)
		}
		h.ca.Release()
	}()
	_, results, err := h.many(2, renewal.Round{})
	must(t, err)
	if r := results[0]; r.Outcome != renewal.Superseded || r.Made != 1 || renewal.Exit(results, nil) != 0 {
		t.Errorf("%+v", r)
	}
}

// Two lineages that share no name meet at the order of a third, which a dead run left: one of them
// finishes it, the other waits for that one, and neither is taken for another run's.
func TestTwoLineagesMeetAtTheOrderOfAThird(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(2)
	third := h.wish(names...)
	third.CertName = "third.example"
	h.leave("challenge", false, third)
	h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Hold})
	s := &spoken{heard: func(line string) {
		if strings.HasPrefix(line, "told: Waiting for another certificate of this run") {
			h.ca.Release()
		}
	}}
	h.tells, h.set.Jobs = s, 2
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 2 || strings.Contains(strings.Join(s.lines, "\n"), "left for the end") {
		t.Errorf("%s: %q", got, s.lines)
	}
	if h.ca.Truth().Pending() != 0 {
		t.Errorf("%d pending", h.ca.Truth().Pending())
	}
}

// inTurn makes a host have a certificate for a name, and for one that all such certificates share: they
// take turns in the order in which a round means to begin them, which among goroutines nobody could tell.
func (h *machine) inTurn(name string, more func(*renewal.Wish)) {
	h.t.Helper()
	h.site(name, "shared.example")
	s, w := h.process("certonly"), h.wish(name, "shared.example")
	w.CertName = name
	more(&w)
	if r := s.Obtain(h.t.Context(), w); r.Outcome != renewal.Issued {
		h.t.Fatalf("%s: %+v", name, r)
	}
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
}

// What expires first is begun first.
func TestWhatExpiresFirstComesFirst(t *testing.T) {
	t.Parallel()
	names := []string{"f.example", "e.example", "d.example", "c.example", "b.example", "a.example"}
	config := testca.Config{Profiles: map[string]testca.Lifetimes{}}
	for i, name := range names {
		config.Profiles[name] = testca.Lifetimes{Certificate: time.Duration(40+i) * 24 * time.Hour}
	}
	h := newHost(t, config)
	for _, name := range names {
		h.inTurn(name, func(w *renewal.Wish) { w.Choice.RequiredProfile = host.Say(name) })
	}
	_, results, err := h.many(2, renewal.Round{Renew: true})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != len(names) {
		t.Fatal(got)
	}
	for i, r := range results[1:] {
		if later := results[i]; !r.Started.Before(later.Started) {
			t.Errorf("%s expires first, and is begun at %s, after %s at %s", r.Lineage, r.Started, later.Lineage, later.Started)
		}
	}
}

// What is said of an order that an earlier run left stands together as well.
func TestWhatIsLeftIsToldWhole(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	var names []string
	for i := range 4 {
		names = append(names, fmt.Sprintf("s%d.example", i))
		w := h.wish(names[i])
		script := filepath.Join(h.dir, "deploy-"+names[i])
		must(t, os.WriteFile(script, []byte("#!/bin/sh\necho of "+names[i]+"; echo sorry "+names[i]+" >&2; exit 3\n"), 0o755))
		w.Hooks.Deploy = host.Say(script)
		h.leave("certificate", false, w)
	}
	s := &spoken{}
	h.tells, h.set.Jobs = s, 4
	results, err := h.process("resume").ResumeAll(t.Context())
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 4 {
		t.Fatal(got)
	}
	text := strings.Join(slices.DeleteFunc(s.lines, func(line string) bool { return strings.HasPrefix(line, "told: ") }), "\n")
	for _, name := range names {
		if block := "warning: Hook 'deploy-hook' reported error code 3\nHook 'deploy-hook' ran with output:\n of " + name +
			"\nwarning: Hook 'deploy-hook' ran with error output:\n sorry " + name; !strings.Contains(text, block) {
			t.Errorf("of %s: %q", name, s.lines)
		}
	}
	for _, r := range results {
		if r.Started.IsZero() || r.Ended.Before(r.Started) {
			t.Errorf("%+v", r)
		}
	}
}

// A pre-hook of a round may open what the CA is to reach. It runs once, and counts for all whose checks
// were made before it had ended.
func TestAPreHookOfARoundOpensForAll(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(3)
	real := filepath.Join(h.dir, "real")
	must(t, os.Mkdir(real, 0o755))
	for _, name := range names {
		must(t, os.Rename(h.root(name), filepath.Join(real, name)))
		path := h.disk().Dirs.Renewal(name)
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), h.root(name), filepath.Join(real, name))), 0o644))
	}
	looked := filepath.Join(h.dir, "looked") // there once all three have found their site closed
	var looks atomic.Int32
	h.visited = func(path string) {
		if strings.Contains(path, "/orderly-") && looks.Add(1) == 3 {
			if err := os.WriteFile(looked, nil, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	script := filepath.Join(h.dir, "open")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\nwhile ! test -e "+looked+"; do sleep 0.02; done\necho opened >> "+
		filepath.Join(h.dir, "notes")+"\nln -s "+real+"/* "+filepath.Join(h.dir, "srv")+"\n"), 0o755))
	_, results, err := h.many(3, renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say(script)}}})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 3 || h.notes() != "opened" {
		t.Errorf("%s, %q: %v", got, h.notes(), results[0].Err)
	}
}

// A signal that comes while one deploy hook runs and others wait for their turn ends all of them; the next
// run deploys each.
func TestASignalEndsWhoWaitsForADeployHook(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := h.sites(3)
	pipe, notes := filepath.Join(h.dir, "pipe"), filepath.Join(h.dir, "notes")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for _, name := range names { // the first one that runs does not end, but once
		h.deploys(name, "mkdir "+pipe+".once && { echo > "+pipe+"; exec sleep 600; }; echo "+name+" >> "+notes)
	}
	ctx, signal := context.WithCancelCause(t.Context())
	var placed atomic.Int32
	for range names {
		h.ca.Inject(testca.Fault{Kind: "certificate", Action: testca.Hold})
	}
	h.tells, h.set.Jobs = &spoken{}, 3
	s := h.process("renew")
	go func() {
		for range names {
			<-h.ca.Held()
		}
		h.ca.ClearFaults()
		h.ca.Release() // all of them come to their deploy hooks now
		_, _ = os.ReadFile(pipe)
		placed.Add(1)
		signal(errors.New("SIGTERM"))
	}()
	results, err := s.RenewAll(ctx, renewal.Round{})
	if failure.ClassOf(err) != failure.Stopped || placed.Load() != 1 || strings.Contains(outcomes(results), "issued") {
		t.Errorf("%v: %s", err, outcomes(results))
	}
	must(t, s.Finish(ctx))
	must(t, s.End("stopped", 75, ""))
	if h.notes() != "" {
		t.Errorf("after the signal there ran %q", h.notes())
	}
	h.openLocks()
	s = h.process("renew")
	_, err = s.ResumeOwn(t.Context())
	must(t, err)
	_, err = s.RenewAll(t.Context(), renewal.Round{})
	must(t, err)
	deployed := strings.Split(h.notes(), "; ")
	slices.Sort(deployed)
	if !slices.Equal(deployed, names) || h.ordered() != 6 {
		t.Errorf("deployed %v, %d orders", deployed, h.ordered())
	}
}

// A lineage that somebody deletes while a round is under way is no renewal that failed.
func TestWhatIsDeletedMeanwhileHasNotFailed(t *testing.T) {
	t.Parallel()
	for _, jobs := range []int{1, 8} {
		h := newHost(t, testca.Config{})
		h.has("a.example", "b.example", "c.example")
		h.due("a.example", "b.example", "c.example")
		h.set.Jobs = jobs
		free := h.occupied("b.example") // it comes last
		remover := h.process("delete")
		results, err := h.renew(renewal.Round{Looked: func(r renewal.Result) {
			if r.Lineage == "c.example" {
				free()
				must(t, remover.Delete(t.Context(), "b.example"))
			}
		}})
		must(t, err)
		if got := outcomes(results); got != "a.example issued, c.example issued" || renewal.Exit(results, nil) != 0 {
			t.Errorf("%d jobs: %s, exit %d", jobs, got, renewal.Exit(results, nil))
		}
		if said := strings.Join(h.report.lines, "\n"); !strings.Contains(said, "b.example was deleted meanwhile.") {
			t.Errorf("%d jobs: told %q", jobs, said)
		}
	}
}
