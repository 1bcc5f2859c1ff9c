package e2e_test

// What Debian's certbot leaves at the CA, told from its logs alone: renewals without a document root,
// runs killed at any request, and good ones, at CAs of several kinds. What the logs name open is asked
// about, finished and given up; at the end the CA holds nothing that a log names. `make scan-trial`
// is all of it; `make test` a small one.

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"

	"orderly/testca"
)

// scanTrial is one afternoon: how many renewals of each kind, and what the CA and the killer do.
type scanTrial struct {
	name                 string
	authority            testca.Config
	broken, killed, good int
	rounds               int              // over all lineages in one process, after the kills
	again                bool             // the killed ones are in the rounds too
	midround             bool             // the kills are of rounds, not of a lineage's own run
	signals              []syscall.Signal // SIGKILL alone if there are none
	faults               []testca.Fault   // one befalls each run
	packed               bool             // logrotate has been there
}

func scanTrials() []scanTrial {
	hidden := testca.Config{HideProcessing: true}
	if !whole {
		return []scanTrial{
			{name: "one by one", authority: hidden, broken: 4, killed: 4, good: 2, rounds: 1, packed: true},
			{name: "a CA in trouble", authority: hidden, broken: 2, killed: 3, good: 2, rounds: 1, again: true,
				faults: troubles()},
		}
	}
	likeLetsEncrypt := testca.Config{HideProcessing: true, Reuse: true, AuthzReuse: true, Boulder: true}
	all := []scanTrial{
		{name: "one by one", authority: hidden, broken: 50, killed: 20, good: 30, rounds: 1, packed: true},
		{name: "orders reused", authority: likeLetsEncrypt, broken: 10, killed: 20, good: 5, rounds: 2},
		{name: "authorizations reused", authority: testca.Config{AuthzReuse: true}, broken: 10, killed: 20,
			good: 5, rounds: 2, again: true},
		{name: "killed in rounds", authority: hidden, broken: 10, killed: 10, good: 15, rounds: 1,
			again: true, midround: true},
		{name: "TERM INT HUP", authority: hidden, broken: 5, killed: 20, good: 5, rounds: 1,
			signals: []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}},
		{name: "a CA in trouble", authority: hidden, broken: 10, killed: 20, good: 20, rounds: 1, again: true,
			faults: troubles()},
		{name: "in trouble and reusing", authority: likeLetsEncrypt, broken: 10, killed: 20, good: 20,
			rounds: 1, again: true, faults: troubles(), packed: true},
	}
	return all
}

// troubles are what befalls requests at a CA that loses and refuses.
func troubles() []testca.Fault {
	var all []testca.Fault
	for _, kind := range []string{"new-order", "authorization", "challenge", "finalize", "order",
		"certificate"} {
		all = append(all, testca.Fault{Kind: kind, Action: testca.LoseAnswer},
			testca.Fault{Kind: kind, Action: testca.Drop},
			testca.Fault{Kind: kind, Action: testca.BadNonce},
			testca.Fault{Kind: kind, Action: testca.Respond, Status: 503},
			testca.Fault{Kind: kind, Action: testca.Respond, Status: 500, Problem: "serverInternal"},
			testca.Fault{Kind: kind, Action: testca.Respond, Status: 429, Problem: "rateLimited",
				RetryAfter: "60"})
	}
	return all
}

// scanSeed decides which lineages are broken, and at which request each kill befalls.
const scanSeed = 2

// scanResult is what a trial came to.
type scanResult struct {
	runs, killed, logged, pending, unnamed, asked, drained, released int
	megabytes                                                        float64
	seconds                                                          float64
	memory                                                           int64
}

func TestWhatCertbotsLogsLeaveOpen(t *testing.T) {
	t.Parallel()
	trials := scanTrials()
	results := make([]scanResult, len(trials))
	t.Cleanup(func() { t.Log(scanTable(trials, results)) })
	for i, trial := range trials {
		t.Run(trial.name, func(t *testing.T) {
			t.Parallel()
			results[i] = trial.run(t)
		})
	}
}

// scanTable is what a person reads of it.
func scanTable(trials []scanTrial, results []scanResult) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nTRIAL\tRUNS\tKILLED\tLOGS\tNAMED IN LOGS\tPENDING\tASKED\tDRAINED\tRELEASED\tIN NO LOG\tSCAN\tMEMORY\t")
	for i, r := range results {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f MB\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f s\t%d MB\t\n", trials[i].name,
			r.runs, r.killed, r.megabytes, r.logged, r.pending, r.asked, r.drained, r.released, r.unnamed,
			r.seconds, r.memory>>10)
	}
	_ = w.Flush()
	return fmt.Sprintf("%s\nAsking about every authorization logged takes as many questions as the logs name. Seed %d.",
		&b, scanSeed)
}

// afternoon is a trial under way.
type afternoon struct {
	scanTrial
	*host
	random              *rand.Rand
	breaks, dies, works []string // lineages
	ends                []string // the steps that killed runs came to
	runs                int
}

func (s scanTrial) run(t *testing.T) scanResult {
	w := newWorld(t, s.authority)
	a := &afternoon{scanTrial: s, host: w.host("one"), random: rand.New(rand.NewPCG(scanSeed, uint64(s.broken)))}
	a.prepare()
	a.runs++ // that made the account
	a.kills()
	a.roundsOfAll()
	named := a.named()
	if s.packed {
		a.pack()
	}

	want, unnamed := a.truth(named)
	before := w.requests("authorization")
	report, cost := a.check()
	cost.asked = w.requests("authorization") - before
	if got := a.pendingURLs(); !slices.Equal(got, want) {
		t.Errorf("pending by the ledger %q, at the CA %q; %+v", got, want, report)
	}
	if cost.asked > 2*len(want) {
		t.Errorf("asked %d times about %d", cost.asked, len(want))
	}
	a.judgeLost(report, unnamed)
	a.judgeRuns(report)
	cost.runs, cost.killed, cost.logged = len(report.Runs), len(a.ends), len(named)
	cost.pending, cost.unnamed = len(want), len(unnamed)
	cost.drained = a.drain(unnamed)
	a.must("pending", "release", "--all", "--yes")
	cost.released = cost.pending - cost.drained
	if left, _ := a.truth(named); len(left) != 0 {
		t.Errorf("at the end the CA holds %q pending", left)
	}
	a.recover(len(unnamed))
	return cost
}

// kills has runs end at a request.
func (a *afternoon) kills() {
	for i, name := range a.dies {
		args := []string{"renew", "--no-random-sleep-on-renew", "--cert-name", name}
		most := 12 // requests of a renewal with two names
		if a.midround {
			args, most = args[:2], 12*(len(a.breaks)+len(a.dies)+len(a.works)-i)/4
		}
		if len(a.faults) > 0 {
			most = 8 // many end by themselves
		}
		signal := syscall.SIGKILL
		if len(a.signals) > 0 {
			signal = a.signals[i%len(a.signals)]
		}
		a.trouble()
		a.killed(signal, 1+a.random.IntN(most), a.random.IntN(2) == 0, args)
	}
}

// killed runs certbot until the CA holds its nth request, and kills it there. What a lost answer to
// newOrder made is in no log: that befalls runs where the CA is in trouble, and no other.
func (a *afternoon) killed(signal syscall.Signal, nth int, after bool, args []string) {
	seen := len(a.ca.Truth().Requests)
	a.hold("", nth, after)
	c := a.startCertbot(args...)
	held, ok := a.heldOrEnded(c)
	for ok && held.Processed && held.Kind == "new-order" && len(a.faults) == 0 {
		a.hold("", 1, true)
		a.ca.Release(held.ID)
		held, ok = a.heldOrEnded(c)
	}
	if ok {
		a.ends = append(a.ends, stepAt(a.ca.Truth().Requests[seen:]))
		c.signal(signal)
	}
	a.runs++
	c.wait()
	a.ca.ClearFaults()
	a.ca.Release()
}

// stepAt is the step of a run by what it asked. A nonce is fetched for the step that the run is at; an
// authorization is polled once a challenge of the same lineage was answered.
func stepAt(requests []testca.Request) string {
	last := ""
	for _, r := range slices.Backward(requests) {
		switch {
		case last == "" && r.Kind != "new-nonce":
			if last = r.Kind; last != "authorization" {
				return last
			}
		case r.Kind == "challenge":
			return "poll"
		case r.Kind == "directory":
			return last
		}
	}
	return last
}

// roundsOfAll renews all in one process, those that were killed only where they are tried again.
func (a *afternoon) roundsOfAll() {
	aside := a.dies
	if a.again {
		aside = nil
	}
	a.setAside(aside, true)
	for range a.rounds {
		a.trouble()
		a.certbot("renew", "--no-random-sleep-on-renew")
		a.runs++
		a.ca.ClearFaults()
	}
	a.setAside(aside, false)
}

// trouble has something befall a run, twice: certbot sends again what was refused for its nonce.
func (a *afternoon) trouble() {
	if len(a.faults) == 0 {
		return
	}
	for range 2 {
		fault := a.faults[a.random.IntN(len(a.faults))]
		fault.Nth = 1 + a.random.IntN(2)
		a.ca.Inject(fault)
	}
}

// judgeLost: what no log names was made by a newOrder that the scan says was lost.
func (a *afternoon) judgeLost(report scanReport, unnamed []string) {
	a.t.Helper()
	var lost []string
	for _, l := range report.Lost {
		lost = append(lost, strings.Join(sorted(l.Names), ","))
	}
	for _, o := range a.ca.Truth().Orders {
		if slices.ContainsFunc(o.Authorizations, func(one testca.TruthAuthorization) bool {
			return slices.Contains(unnamed, one.URL)
		}) && !slices.Contains(lost, strings.Join(o.Names, ",")) {
			a.t.Errorf("the order for %v is in no log, and not lost: %v", o.Names, lost)
		}
	}
}

// judgeRuns: as many runs are said to be killed as were, at the steps that they came to.
func (a *afternoon) judgeRuns(report scanReport) {
	a.t.Helper()
	var ends []string
	for _, r := range report.Runs {
		if r.Fate == "killed" || r.Fate == "signal" {
			ends = append(ends, cmp.Or(r.Step, "directory"))
		}
	}
	slices.Sort(ends)
	slices.Sort(a.ends)
	if !slices.Equal(ends, a.ends) {
		a.t.Errorf("killed at %q, not %q", ends, a.ends)
	}
	if len(report.Runs) != a.runs {
		a.t.Errorf("%d runs, not %d", len(report.Runs), a.runs)
	}
}

// drain finishes what this host can prove: all but what is broken.
func (a *afternoon) drain(unnamed []string) int {
	a.t.Helper()
	before := a.ca.Truth().Pending()
	drained := a.orderly("pending", "drain")
	for _, o := range a.ca.Truth().Orders {
		for _, one := range o.Authorizations {
			if one.Status == "pending" && !slices.Contains(a.breaks, strings.TrimPrefix(one.Name, "www.")) &&
				!slices.Contains(unnamed, one.URL) {
				a.t.Errorf("%s was not finished: %s", one.Name, drained)
			}
		}
	}
	return before - a.ca.Truth().Pending()
}
