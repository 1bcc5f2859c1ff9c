package order_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// dice throws facts.
type dice struct{ *rand.Rand }

func (d dice) maybe() bool { return d.IntN(2) == 0 }

// moment is a time around noon, often the same, sometimes none.
func (d dice) moment() time.Time {
	spans := []time.Duration{0, time.Second, 2900 * time.Millisecond, 3 * time.Second, 59 * time.Second, 61 * time.Second, time.Hour, 25 * time.Hour, 200 * time.Hour}
	at := noon.Add(-spans[d.IntN(len(spans))])
	switch d.IntN(6) {
	case 0:
		return time.Time{}
	case 1:
		return noon.Add(spans[d.IntN(len(spans))])
	}
	return at
}

func one[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) facts() order.Facts {
	o := &ledger.Order{ID: 1, Lineage: "a", State: one(d, ledger.Creating, ledger.PendingState, ledger.Ready, ledger.Processing, ledger.Valid,
		ledger.Installed, ledger.Invalid, ledger.ExpiredState, ledger.ReleasedState, ledger.TakenState, ledger.LostState, ledger.RefusedState, ledger.Phantom,
		ledger.SupersededState),
		URL: one(d, "", "u"), CreateSends: d.IntN(6), Superseded: d.maybe(), CreateSentAt: d.moment(), FinalizeSentAt: d.moment(),
		Redeploys: d.IntN(5)}
	if d.IntN(8) == 0 {
		o.SettledAt = noon
	}
	if d.maybe() {
		o.Certificate, o.DeployedAt = "https://ca.example/c", noon
	}
	if d.maybe() {
		o.Chain = []byte("chain")
	}
	f := order.Facts{Now: noon, Order: o,
		CA: order.CA{Reuses: d.maybe(), HidesProcessing: d.maybe(), LongestValidation: time.Minute,
			OrderLifetime: 168 * time.Hour},
		Looked: d.maybe(), Seen: map[string]bool{}, Unknown: map[string]bool{}, ShowsProcessing: d.maybe(),
		List:     order.ListFacts{Walked: d.maybe(), Proves: d.maybe(), None: d.maybe()},
		NewOrder: order.NewOrderFacts{Admitted: d.maybe(), Suspected: d.maybe()},
		Proofs: order.ProofFacts{Checked: d.maybe(), Placed: map[string]bool{},
			Unplaceable: map[string]bool{}},
		Issuance: order.IssuanceFacts{KeyReady: d.maybe()},
		Wait:     order.WaitFacts{NextPoll: d.moment(), GiveUp: d.moment()}}
	f.Wait.LongestWait, f.Wait.Patience, f.Wait.Asked, f.Known = time.Minute, 90*time.Second, d.maybe(), d.IntN(8) > 0
	f.Wait.GiveUp = one(d, f.Wait.GiveUp, noon.Add(f.Wait.Patience), noon.Add(-time.Second))
	f.NewOrder.Sent, f.NewOrder.Ghosts, f.NewOrder.Sound, f.NewOrder.Crowded, f.Insists = d.IntN(3), d.IntN(4), d.maybe(), d.IntN(4) == 0, d.IntN(8) == 0
	f.UntilIssued, f.CA.CountsPending, o.Releasing = d.IntN(8) == 0, one(d, 0, 300), d.IntN(4) == 0
	if d.IntN(4) == 0 {
		f.Proofs.Blocked = failure.New(failure.WebrootGone, "Make it.", "it is gone")
	}
	if d.IntN(4) == 0 {
		f.Wait.NotBefore = d.moment()
	}
	f.Wanted = &ledger.Request{}
	if d.IntN(4) == 0 {
		f.Wanted.KeyType = "rsa"
	}
	if o.State == ledger.Creating && d.IntN(4) == 0 {
		f.NewOrder.Unmade, o.Replaces = d.unmade(), one(d, "", "x")
	}
	if d.IntN(4) == 0 {
		f.Wait.Trouble, f.Wait.Overtime = d.trouble(), d.maybe()
	}
	if d.IntN(8) == 0 {
		f.Issuance.Refusal = said(one(d, 400, 403), one(d, "caa", "badCSR"), -1).Problem
	}
	if d.IntN(8) == 0 {
		f.Issuance.Resting = failure.New(failure.BackOff, "Wait.", "it was refused")
	}
	for i := range d.IntN(4) {
		a := &ledger.Authorization{ID: int64(i + 1), URL: fmt.Sprint(i), Name: fmt.Sprint(i), Status: one(d, "pending", "pending", "valid", "invalid", "expired"),
			SeenAt: d.moment(), ChallengeURL: "c", ChallengeStatus: one(d, "pending", "processing", "valid", "invalid"), AnswerSentAt: d.moment(),
			Answers: d.IntN(7), Answered: d.maybe(), Placement: one(d, "", "p")}
		o.Authorizations = append(o.Authorizations, a)
		f.Seen[a.URL], f.Proofs.Placed[a.URL], f.Proofs.Unplaceable[a.URL] = d.maybe(), d.maybe(), d.IntN(4) == 0
		f.Unknown[a.URL] = f.Proofs.Unplaceable[a.URL] && d.maybe()
	}
	return f
}

// unmade is a newOrder that brought no order.
func (d dice) unmade() *order.Unmade {
	u := said(one(d, 400, 403, 409, 429, 503), one(d, "", "alreadyReplaced", "malformed", "rateLimited"), one(d, -1, time.Second, time.Hour))
	u.Times = d.IntN(7)
	return u
}

// trouble is a request that failed.
func (d dice) trouble() *order.Trouble {
	t := &order.Trouble{Kind: "order", Cause: said(one(d, 400, 429, 500, 503), "", one(d, -1, time.Second)).Cause, Times: 1 + d.IntN(6),
		Pause: one(d, time.Second, 8*time.Second, time.Minute, time.Hour)}
	if d.IntN(4) == 0 {
		t.Account = failure.New(failure.Account, "Put it back.", "the CA does not accept the account")
	}
	return t
}

// mayAnswer is rule 4, said in other words than the code's.
func mayAnswer(f order.Facts, a *ledger.Authorization) bool {
	if a.AnswerSentAt.IsZero() {
		return true
	}
	shownAfter := a.SeenAt.Sub(a.AnswerSentAt)
	if shownAfter <= 0 || a.ChallengeStatus == "processing" {
		return false
	}
	if a.ChallengeStatus == "invalid" { // it failed, and what stands in the way is asked by the check
		return true
	}
	never := f.ShowsProcessing && !f.CA.HidesProcessing && !a.Answered && a.Answers < 5
	return never || shownAfter > f.CA.LongestValidation
}

func TestNextNeverDoesWhatTheRulesForbid(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 1))}
	seen := map[order.Kind]int{}
	for range 200_000 {
		f := d.facts()
		act := order.Next(f)
		seen[act.Kind]++
		if wrong := breach(f, act); wrong != "" {
			t.Fatalf("seed %d: %s: %+v\nfacts %+v\norder %+v", seed, wrong, act, f, *f.Order)
		}
	}
	for _, kind := range []order.Kind{order.Create, order.Answer, order.Finalize, order.Search, order.Look, order.Show, order.Download, order.Check,
		order.Place, order.Clear, order.MakeKey, order.ChangeKey, order.DropReplaces, order.Learn, order.Steady, order.GiveUp, order.Leave, order.Release, order.Install, order.Deploy, order.Forgo, order.Wait, order.Settle, order.Stop, order.Adjourn, order.Done} {
		if seen[kind] == 0 {
			t.Errorf("no facts led to %s", kind)
		}
	}
}

func breach(f order.Facts, act order.Action) string {
	o := f.Order
	for _, a := range act.Authorizations {
		switch {
		case act.Kind == order.Release && f.Unknown[a.URL]:
			return "what the CA does not know is deactivated"
		case act.Kind == order.Answer && (!mayAnswer(f, a) || a.Final() || !f.Looked || !f.Proofs.Checked || !f.Seen[a.URL] || !f.Proofs.Placed[a.URL] || f.Proofs.Unplaceable[a.URL]):
			return "a challenge is answered that must not be"
		case act.Kind == order.Clear && o.State == ledger.PendingState && (!o.Releasing || !a.Final()):
			return "a token is removed while its authorization is pending"
		}
	}
	if f.Now.Before(f.Wait.NotBefore) && asks(act.Kind) {
		return "something is sent though the CA asked for silence"
	}
	if !f.Known && asks(act.Kind) && act.Kind != order.Learn {
		return "something is sent to a CA of which nothing is known"
	}
	if t := f.Wait.Trouble; t != nil && act.Kind != order.Stop && act.Kind != order.Done && act.Kind != order.Steady {
		if t.Account != nil || t.Times > 4 || t.Pause > f.Wait.LongestWait {
			return "a run goes on though its requests fail, or the account is none"
		}
	}
	long := act.Until.After(f.Now.Add(f.Wait.LongestWait)) && act.Until.After(f.Wait.GiveUp)
	if act.Kind == order.Wait && f.Wait.Asked && act.Until.Equal(f.Wait.NextPoll) && long {
		return "a run stands still for longer than anybody waits"
	}
	if act.Overtime && f.Wait.Overtime {
		return "patience is put off again and again"
	}
	if act.Until.After(f.Now.Add(order.LongestHold)) && act.Kind == order.Stop {
		return "a mistake of the CA's freezes the order"
	}
	standing := tally(o.Authorizations, func(a *ledger.Authorization) bool { return a.Placement != "" })
	switch act.Kind {
	case order.Create:
		unresolved := !o.CreateSentAt.IsZero()
		if f.NewOrder.Unmade != nil && (f.NewOrder.Unmade.Effect == order.Refused || f.NewOrder.Unmade.Problem.Status == 429) {
			return "newOrder is sent again though the CA said no"
		}
		if unresolved && f.Now.Sub(o.CreateSentAt) < 3*time.Second || unresolved && !f.List.Walked && !f.List.None || !f.NewOrder.Admitted || o.State != ledger.Creating {
			return "newOrder is sent too soon, or without having looked, or unadmitted"
		}
		if (f.NewOrder.Ghosts >= 2 || unresolved && o.CreateSends >= 2 && !f.List.Proves) && !f.NewOrder.Sound {
			return "a third order of one name set may be made, of which nobody knows"
		}
	case order.DropReplaces:
		refused := f.NewOrder.Unmade != nil && f.NewOrder.Unmade.Effect == order.Refused
		if o.Replaces == "" || !refused && (o.CreateSends < 2 || o.CreateSentAt.IsZero()) {
			return "what is replaced is forgotten for nothing"
		}
	case order.GiveUp:
		able := func(a *ledger.Authorization) bool { return !a.Final() && !f.Proofs.Unplaceable[a.URL] }
		if f.CA.CountsPending == 0 || o.Releasing || tally(o.Authorizations, able) > 0 {
			return "an order is given up that can go on, or rest"
		}
	case order.Release:
		if !o.Releasing {
			return "authorizations are deactivated of an order that was not given up"
		}
	case order.Finalize:
		if f.Issuance.Refusal != nil || f.Issuance.Resting != nil {
			return "finalize is sent again though the CA said no"
		}
		if !order.SameKey(o.Request, *f.Wanted) && (o.FinalizeSentAt.IsZero() || o.State == ledger.Ready && o.URL != "") {
			return "the CSR of another key than the wanted one is sent"
		}
		if !f.Looked || !f.Issuance.KeyReady || o.State != ledger.Ready || o.Superseded || standing > 0 {
			return "finalize is sent that must not be"
		}
	case order.Settle:
		if standing > 0 && o.State != ledger.Creating { // an order that does not exist has no authorizations
			return "an order is settled while tokens stand"
		}
		open := tally(o.Authorizations, func(a *ledger.Authorization) bool { return !a.Final() })
		if act.State == ledger.Invalid && open > 0 {
			return "a dead order is settled while authorizations are pending"
		}
	case order.Wait:
		if !act.Until.After(f.Now) {
			return "it waits for what is over"
		}
	case order.MakeKey:
		if o.State != ledger.Ready || f.Issuance.KeyReady {
			return "a key is made that must not be"
		}
	case order.Install, order.Deploy, order.Forgo:
		if f.UntilIssued {
			return "what is another run's is put in place"
		}
		if act.Kind == order.Deploy && o.Redeploys > 2 || act.Kind == order.Forgo && o.Redeploys < 3 {
			return "hooks are run for ever, or given up too early"
		}
		if act.Kind != order.Install {
			break
		}
		if !f.Issuance.KeyReady || len(o.Chain) == 0 {
			return "something is installed that is not whole"
		}
	case order.Answer, order.Show, order.Place, order.Check, order.Clear:
		if len(act.Authorizations) == 0 && (act.Kind != order.Check || o.State != ledger.Creating) {
			return "nothing is to be done, again and again"
		}
	}
	return ""
}

// asks reports whether an action sends a request.
func asks(k order.Kind) bool {
	switch k {
	case order.Create, order.Answer, order.Finalize, order.Release, order.Search, order.Look, order.Show, order.Download, order.Learn:
		return true
	}
	return false
}

// obey does to the facts what the driver and a CA of any mood could make of an action.
func (d dice) obey(f *order.Facts, act order.Action) {
	o := f.Order
	f.Now = f.Now.Add(100 * time.Millisecond)
	f.Wait.Overtime = f.Wait.Overtime || act.Overtime
	if asks(act.Kind) && d.IntN(8) == 0 { // it fails
		times := 1
		if f.Wait.Trouble != nil {
			times = f.Wait.Trouble.Times + 1
		}
		f.Wait.Trouble = d.trouble()
		f.Wait.Trouble.Times, f.Wait.Asked, f.Wait.NextPoll = times, d.maybe(), f.Now.Add(f.Wait.Trouble.Pause)
		return
	}
	switch act.Kind {
	case order.Create:
		o.CreateSends++
		o.CreateSentAt = f.Now
		f.NewOrder.Sent, f.NewOrder.Sound = f.NewOrder.Sent+1, false
		f.NewOrder.Unmade, f.List.Walked, f.List.Proves = nil, false, false
		switch d.IntN(3) {
		case 0:
			o.CreateSends--
			o.CreateSentAt, f.NewOrder.Unmade = time.Time{}, d.unmade()
		case 1:
			o.State, o.CreateSentAt, f.Looked = ledger.PendingState, time.Time{}, true
		}
	case order.Learn:
		f.Known = true
	case order.Steady:
		f.Wait.NextPoll, f.Wait.GiveUp = time.Time{}, f.Now.Add(f.Wait.Patience)
		order.NoLater(o, f.Now)
	case order.GiveUp:
		o.Releasing = true
	case order.Release:
		for _, a := range act.Authorizations {
			a.Status = one(d, "deactivated", "pending")
		}
	case order.ChangeKey:
		order.TakeKey(&o.Request, *f.Wanted)
		f.Issuance.KeyReady = false
	case order.Probe:
		if f.NewOrder.Sound = d.maybe(); !f.NewOrder.Sound {
			f.Wait.NextPoll = f.Now.Add(time.Second)
		}
	case order.DropReplaces:
		o.Replaces, f.NewOrder.Unmade = "", nil
	case order.Search:
		f.List.Walked = d.maybe()
		f.List.None, f.List.Proves = !f.List.Walked, f.List.Walked && d.maybe()
	case order.Look:
		f.Looked = true
		if d.IntN(3) == 0 {
			o.State = d.later(o.State)
		}
	case order.Show:
		for _, a := range act.Authorizations {
			f.Seen[a.URL], a.SeenAt = true, f.Now
			if d.IntN(3) == 0 {
				a.Status = one(d, "valid", "invalid")
			}
		}
	case order.Check:
		f.Proofs.Checked, f.NewOrder.Admitted = true, true
	case order.Place:
		for _, a := range act.Authorizations {
			f.Proofs.Placed[a.URL], a.Placement = true, "p"
		}
	case order.Clear:
		for _, a := range act.Authorizations {
			a.Placement = ""
		}
	case order.Answer:
		for _, a := range act.Authorizations {
			a.AnswerSentAt, a.Answered = f.Now, d.maybe()
			if a.SeenAt.After(f.Now) {
				a.SeenAt = f.Now // as the driver does
			}
			a.Answers++
		}
	case order.MakeKey:
		f.Issuance.KeyReady = true
	case order.Finalize:
		o.State, o.FinalizeSentAt, f.Looked = ledger.Processing, f.Now, d.maybe()
	case order.Download:
		o.Chain = []byte("chain")
	case order.Install:
		o.State = ledger.Installed
	case order.Deploy, order.Forgo:
		o.DeployedAt = f.Now
	case order.Wait:
		f.Now = act.Until
	case order.Settle:
		o.State, o.SettledAt = act.State, f.Now
	}
}

// later is a state that the CA may show next.
func (d dice) later(s ledger.State) ledger.State {
	switch s {
	case ledger.PendingState:
		return one(d, ledger.Ready, ledger.Invalid)
	case ledger.Ready:
		return ledger.Ready
	case ledger.Processing:
		return one(d, ledger.Valid, ledger.Invalid, ledger.Ready)
	}
	return s
}

func TestObeyingNextComesToAnEnd(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 2))}
	for range 3000 {
		f := d.facts()
		f.Wait.GiveUp = f.Now.Add(90 * time.Second)
		if f.Wait.NextPoll.After(f.Wait.GiveUp) {
			f.Wait.NextPoll = f.Wait.GiveUp
		}
		steps := 0
		for act := order.Next(f); !ends(act.Kind); act = order.Next(f) {
			if wrong := breach(f, act); wrong != "" {
				t.Fatalf("seed %d: %s: %+v", seed, wrong, act)
			}
			d.obey(&f, act)
			if steps++; steps > 3000 {
				t.Fatalf("seed %d: no end: %s, %+v", seed, act.Kind, *f.Order)
			}
		}
	}
}

// ends reports whether a run's work on the order is over.
func ends(k order.Kind) bool {
	return k == order.Done || k == order.Stop || k == order.Adjourn || k == order.Leave
}

func tally[T any](list []T, want func(T) bool) int {
	n := 0
	for _, v := range list {
		if want(v) {
			n++
		}
	}
	return n
}
