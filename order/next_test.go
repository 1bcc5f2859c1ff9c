package order_test

import (
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

// facts are those of a pending order for two names whose authorizations were seen and whose tokens stand. Each row of the
// table changes them.
func facts() order.Facts {
	auth := func(name string) *ledger.Authorization {
		return &ledger.Authorization{ID: 1, URL: "https://ca.example/authz/" + name, Name: name, Status: "pending", SeenAt: noon.Add(-time.Minute),
			ChallengeURL: "https://ca.example/chall/" + name, ChallengeType: "http-01", ChallengeStatus: "pending", Token: "t", Placement: "p"}
	}
	o := &ledger.Order{ID: 1, Lineage: "a", Names: []string{"a", "b"}, State: ledger.PendingState, URL: "https://ca.example/order/1",
		CreateSends: 1, Authorizations: []*ledger.Authorization{auth("a"), auth("b")}}
	f := order.Facts{Now: noon, Order: o, CA: order.CA{LongestValidation: time.Minute, OrderLifetime: 168 * time.Hour}, Looked: true,
		Known: true, Seen: map[string]bool{}, NewOrder: order.NewOrderFacts{Admitted: true},
		Proofs: order.ProofFacts{Checked: true, Placed: map[string]bool{}, Unplaceable: map[string]bool{}},
		Wait:   order.WaitFacts{GiveUp: noon.Add(time.Minute), Patience: time.Minute}}
	for _, a := range o.Authorizations {
		f.Seen[a.URL], f.Proofs.Placed[a.URL] = true, true
	}
	return f
}

// answered makes both challenges answered so long before now.
func answered(f *order.Facts, ago time.Duration) {
	for _, a := range f.Order.Authorizations {
		a.AnswerSentAt, a.Answers, a.Answered = f.Now.Add(-ago), 1, true
	}
}

// in makes the order one of a state, with valid authorizations and no token left.
func in(f *order.Facts, s ledger.State) {
	f.Order.State = s
	for _, a := range f.Order.Authorizations {
		a.Status, a.Placement = "valid", ""
	}
}

// unsent makes the order one whose newOrder was sent so often, last so long ago, without an answer.
func unsent(f *order.Facts, sends int, ago time.Duration) {
	o := f.Order
	o.State, o.URL, o.Authorizations, o.CreateSends = ledger.Creating, "", nil, sends
	if sends > 0 {
		o.CreateSentAt = f.Now.Add(-ago)
	}
}

// row is one sentence of the rules: what the facts are, and what follows.
type row struct {
	sentence string
	change   func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization)
	kind     order.Kind
	state    ledger.State // of Settle
	names    string       // of Action.Authorizations
}

func follow(t *testing.T, rows []row) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.sentence, func(t *testing.T) {
			f := facts()
			c.change(&f, f.Order, f.Order.Authorizations[0], f.Order.Authorizations[1])
			act := order.Next(f)
			names := ""
			for _, a := range act.Authorizations {
				names += " " + a.Name
			}
			if act.Kind != c.kind || act.State != c.state || (names != "" || c.names != "") && names != " "+c.names {
				t.Errorf("%s %s%s, not %s %s %s", act.Kind, act.State, names, c.kind, c.state, c.names)
			}
			if act.Kind == order.Wait && !act.Until.After(f.Now) {
				t.Errorf("it waits until %s, which is over", act.Until)
			}
			if act.Kind == order.Settle && act.State != ledger.Installed && act.State != ledger.Invalid && act.State != ledger.ExpiredState && (act.Class == "" || act.Why == "") {
				t.Errorf("settled %s without a reason", act.State)
			}
		})
	}
}

func TestNextBeforeTheOrderExists(t *testing.T) {
	follow(t, []row{
		{"a planned order that nothing forbids is created", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { unsent(f, 0, 0) }, order.Create, "", ""},
		{"a planned order found in the ledger is released: newOrder was never sent", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 0, 0)
			f.NewOrder.Admitted = false
		}, order.Settle, ledger.ReleasedState, ""},
		{"newOrder waits for a Retry-After", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 0, 0)
			f.Wait.NextPoll = noon.Add(time.Second)
		}, order.Wait, "", ""},
	})
}

func TestNextAfterANewOrderWithoutAnAnswer(t *testing.T) {
	follow(t, []row{
		{"an unanswered newOrder is left alone for 3 s", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { unsent(f, 1, 2*time.Second) }, order.Wait, "", ""},
		{"then it is searched for in the account's list", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { unsent(f, 1, 3*time.Second) }, order.Search, "", ""},
		{"without a list it is sent once more", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, 3*time.Second)
			f.List.None = true
		}, order.Create, "", ""},
		{"not without finding out whether something forbids it now", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, time.Hour)
			f.List.None, f.NewOrder.Admitted = true, false
		}, order.Check, "", ""},
		{"and not a third time: it waits for a later run", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 2, 3*time.Second)
			f.List.None, f.NewOrder.Sent = true, 2
		}, order.Stop, "", ""},
		{"which asks first whether the CA answers newOrder", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 2, time.Hour)
			f.List.None = true
		}, order.Probe, "", ""},
		{"and sends it to a CA that does", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 2, time.Hour)
			f.List.None, f.NewOrder.Sound = true, true
		}, order.Create, "", ""},
		{"but not again within a day", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 3, 23*time.Hour)
			f.List.None, f.NewOrder.Sound = true, true
		}, order.Stop, "", ""},
		{"unless a person insists", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 3, 23*time.Hour)
			f.List.None, f.NewOrder.Sound, f.Insists = true, true, true
		}, order.Create, "", ""},
		{"a day later it is", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 3, 25*time.Hour)
			f.List.None, f.NewOrder.Sound = true, true
		}, order.Create, "", ""},
		{"phantoms of earlier orders count", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 0, 0)
			f.NewOrder.Ghosts = 2
		}, order.Probe, "", ""},
		{"so does an account that could be full of them", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 0, 0)
			f.NewOrder.Crowded = true
		}, order.Probe, "", ""},
		{"the list does not have it: it is sent again", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 3, 3*time.Second)
			f.List.Walked, f.List.Proves = true, true
		}, order.Create, "", ""},
		{"but not for ever", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 4, 3*time.Second)
			f.List.Walked, f.List.Proves, f.NewOrder.Sent = true, true, 4
		}, order.Stop, "", ""},
		{"nobody wants it any more, and the list shows that it was never made", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, 3*time.Second)
			o.Superseded, f.List.Walked, f.List.Proves = true, true, true
		}, order.Settle, ledger.ReleasedState, ""},
		{"nobody wants it any more, and the list proves nothing: a phantom stands for it", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, 3*time.Second)
			o.Superseded, f.List.Walked = true, true
		}, order.Settle, ledger.Phantom, ""},
		{"nobody wants it any more, and there is no list: a phantom stands for it", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, 3*time.Second)
			o.Superseded, f.List.None = true, true
		}, order.Settle, ledger.Phantom, ""},
		{"nobody wants it any more, and the CA would hand it back: it is sent to be found", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 1, 3*time.Second)
			o.Superseded, f.List.None, f.CA.Reuses = true, true, true
		}, order.Create, "", ""},
		{"what may have come of it has expired by now", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { unsent(f, 1, 169*time.Hour) }, order.Settle, ledger.Phantom, ""},
	})
}

func TestNextWhenAnOrderIsTakenOver(t *testing.T) {
	follow(t, []row{
		{"who takes an order over looks at it first", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { f.Looked = false }, order.Look, "", ""},
		{"also when it is ready", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Ready)
			f.Looked, f.Issuance.KeyReady = false, true
		}, order.Look, "", ""},
		{"also when finalize was sent (rule 5)", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Processing)
			f.Looked, f.Issuance.KeyReady = false, true
		}, order.Look, "", ""},
		{"also when it is dead", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Invalid)
			f.Looked = false
		}, order.Look, "", ""},
	})
}

func TestNextWhileTheOrderIsPending(t *testing.T) {
	follow(t, []row{
		{"authorizations are seen before anything is done about them", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) { f.Seen[a.URL] = false }, order.Show, "", "a"},
		{"preflight comes before answers", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			f.Proofs.Checked = false
			a.Status = "valid"
		}, order.Check, "", "b"},
		{"what is answered already needs no preflight", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			answered(f, time.Second)
			f.Proofs.Checked = false
		}, order.Look, "", ""},
		{"all tokens stand before the first answer (rule 9)", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) { f.Proofs.Placed[b.URL] = false }, order.Place, "", "b"},
		{"a token of an answered challenge is put back: the CA may look again", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			f.Proofs.Placed = map[string]bool{}
		}, order.Place, "", "a b"},
		{"all are answered before the first poll", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {}, order.Answer, "", "a b"},
		{"a name that cannot be answered does not keep its siblings from it", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) { f.Proofs.Unplaceable[a.URL] = true }, order.Answer, "", "b"},
		{"then the authorizations are polled, since the order stays pending", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			answered(f, time.Second)
			f.Proofs.Unplaceable[a.URL] = true
		}, order.Show, "", "b"},
		{"none can be answered: the order is left", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			f.Proofs.Unplaceable[a.URL], f.Proofs.Unplaceable[b.URL] = true, true
		}, order.Stop, "", ""},
		{"the happy path polls the order", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
		}, order.Look, "", ""},
		{"no sooner than the CA asked", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			answered(f, time.Second)
			f.Wait.NextPoll = noon.Add(time.Second)
		}, order.Wait, "", ""},
		{"and no longer than patience lasts", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			answered(f, time.Second)
			f.Wait.GiveUp = noon.Add(-time.Second)
		}, order.Stop, "", ""},
		{"a Retry-After beyond it is left to a later run", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			answered(f, time.Second)
			f.Wait.NextPoll = noon.Add(time.Hour)
		}, order.Stop, "", ""},
	})
}

func TestNextAfterAChallengeWithoutAnAnswer(t *testing.T) {
	follow(t, []row{
		{"a challenge of unknown fate is looked at", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			b.Answered = false
		}, order.Show, "", "b"},
		{"shown pending after the intent, it may still have arrived", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, 30*time.Second)
			b.Answered, b.SeenAt = false, f.Now
		}, order.Look, "", ""},
		{"once the longest validation is over it is looked at again", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, 61*time.Second)
			a.SeenAt, b.SeenAt = a.AnswerSentAt.Add(time.Second), b.AnswerSentAt.Add(time.Second)
			a.Status = "valid"
		}, order.Show, "", "b"},
		{"still shown pending then, it is answered again", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, 61*time.Second)
			a.SeenAt = a.AnswerSentAt.Add(time.Second)
			b.SeenAt = f.Now
		}, order.Answer, "", "b"},
		{"a look before the intent says nothing", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Hour)
			a.Status, b.SeenAt = "valid", b.AnswerSentAt.Add(-time.Second)
		}, order.Show, "", "b"},
		{"where the CA shows processing, pending means that it never arrived", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			b.Answered, b.SeenAt, f.ShowsProcessing = false, f.Now, true
		}, order.Answer, "", "b"},
		{"not where it hides it", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			b.Answered, b.SeenAt, f.ShowsProcessing, f.CA.HidesProcessing = false, f.Now, true, true
		}, order.Look, "", ""},
		{"not if it was accepted (or 409: it is being validated)", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			b.SeenAt, f.ShowsProcessing = f.Now, true
		}, order.Look, "", ""},
		{"what is shown as processing is never answered again", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Hour)
			a.SeenAt, b.SeenAt, a.ChallengeStatus, b.ChallengeStatus = f.Now, f.Now, "processing", "processing"
		}, order.Look, "", ""},
		{"after five answers it rests for an hour", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, 59*time.Minute)
			a.SeenAt, b.SeenAt, a.Answers, b.Answers = f.Now, f.Now, 5, 6
		}, order.Look, "", ""},
		{"and is answered once more then", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, 61*time.Minute)
			a.SeenAt, b.SeenAt, a.Answers, b.Answers = f.Now, f.Now, 5, 6
		}, order.Answer, "", "a b"},
	})
}

func TestNextOnceTheOrderIsReady(t *testing.T) {
	follow(t, []row{
		{"tokens are cleared before the key is made", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			in(f, ledger.Ready)
			a.Placement = "p"
		}, order.Clear, "", "a"},
		{"the key is there before finalize (rule 7)", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { in(f, ledger.Ready) }, order.MakeKey, "", ""},
		{"a ready order is finalized", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Ready)
			f.Issuance.KeyReady = true
		}, order.Finalize, "", ""},
		{"a superseded one rests", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Ready)
			f.Issuance.KeyReady, o.Superseded = true, true
		}, order.Settle, ledger.Ready, ""},
		{"not before its tokens are cleared", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			in(f, ledger.Ready)
			o.Superseded, a.Placement = true, "p"
		}, order.Clear, "", "a"},
	})
}

// CAs of the protocol's drafts do not call an order ready before finalize.
func TestNextOnceTheOrderIsRipe(t *testing.T) {
	ripe := func(f *order.Facts, s ledger.State) {
		in(f, s)
		f.Issuance.KeyReady = true
		f.Order.Finalize = "https://ca.example/finalize/1"
		f.Wait.GiveUp = f.Now.Add(f.Wait.Patience/2 - time.Second)
	}
	another := func(f *order.Facts) { f.Wanted = &ledger.Request{KeyType: "another"} }
	follow(t, []row{
		{"one that is called pending is finalized after half the patience", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.PendingState)
		}, order.Finalize, "", ""},
		{"not before", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.PendingState)
			f.Wait.GiveUp = f.Now.Add(f.Wait.Patience)
		}, order.Look, "", ""},
		{"nor with a name that waits to be proven", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			ripe(f, ledger.PendingState)
			a.Status, a.AnswerSentAt, a.Answered, a.Answers = "pending", f.Now.Add(-time.Second), true, 1
		}, order.Look, "", ""},
		{"one that is called processing, though nobody here has finalized it", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.Processing)
		}, order.Finalize, "", ""},
		{"but not where it was", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.Processing)
			o.FinalizeSentAt = f.Now.Add(-time.Minute)
		}, order.Look, "", ""},
		{"another key that is wanted is taken before finalize was sent", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.PendingState)
			another(f)
		}, order.ChangeKey, "", ""},
		{"and not after: the CA may be issuing (I5)", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			ripe(f, ledger.PendingState)
			another(f)
			o.FinalizeSentAt = f.Now.Add(-time.Minute)
		}, order.Finalize, "", ""},
	})
}

func TestNextOnceItIsFinalized(t *testing.T) {
	follow(t, []row{
		{"a processing order is polled", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { in(f, ledger.Processing) }, order.Look, "", ""},
		{"as long as patience lasts", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Processing)
			f.Wait.GiveUp = noon.Add(-1)
		}, order.Stop, "", ""},
		{"a valid order is downloaded", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			f.Issuance.KeyReady, o.Certificate = true, "https://ca.example/cert"
		}, order.Download, "", ""},
		{"once the CA says where", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			f.Issuance.KeyReady = true
		}, order.Look, "", ""},
		{"valid, but the key is gone: lost", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			o.FinalizeSentAt = noon
		}, order.Settle, ledger.LostState, ""},
		{"valid, but never finalized by us: taken (rule 6)", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			o.Certificate = "c"
		}, order.Settle, ledger.TakenState, ""},
		{"valid, never finalized by us, and without a certificate: nothing shows that it was issued",
			func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { in(f, ledger.Valid) }, order.Look, "", ""},
		{"not before its tokens are cleared", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			o.Certificate, a.Placement = "c", "p"
		}, order.Clear, "", "a"},
		{"nor is its certificate asked for: one of another holder's would be its end", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			f.Issuance.KeyReady, o.FinalizeSentAt, o.Certificate, a.Placement = true, noon, "c", "p"
		}, order.Clear, "", "a"},
		{"a downloaded certificate is installed, without a look", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			f.Issuance.KeyReady, f.Looked, o.Chain = true, false, []byte("chain")
		}, order.Install, "", ""},
		{"downloaded, but the key is gone: lost", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Valid)
			f.Looked, o.Chain = false, []byte("chain")
		}, order.Settle, ledger.LostState, ""},
		{"what was left aside is settled, without a look and without a hook", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.SupersededState)
			f.Looked, o.Sentence = false, "a newer one is in place"
		}, order.Settle, ledger.SupersededState, ""},
		{"an installed certificate is deployed, without a look (rule 14)", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Installed)
			f.Looked = false
		}, order.Deploy, "", ""},
		{"its hooks are begun again for the third time", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Installed)
			o.Redeploys = 2
		}, order.Deploy, "", ""},
		{"hooks that end whoever runs them are given up", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Installed)
			o.Redeploys = 3
		}, order.Forgo, "", ""},
		{"then the order is settled", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) {
			in(f, ledger.Installed)
			o.DeployedAt = noon
		}, order.Settle, ledger.Installed, ""},
		{"not before its tokens are cleared", func(f *order.Facts, o *ledger.Order, a, _ *ledger.Authorization) {
			in(f, ledger.Installed)
			o.DeployedAt, a.Placement = noon, "p"
		}, order.Clear, "", "a"},
	})
}

func TestNextOnceItIsDead(t *testing.T) {
	follow(t, []row{
		{"siblings of a failed name are still answered (rule 9)", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			o.State, a.Status = ledger.Invalid, "invalid"
		}, order.Answer, "", "b"},
		{"and polled until none is pending", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			o.State, a.Status = ledger.Invalid, "invalid"
		}, order.Show, "", "b"},
		{"with patience", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			answered(f, time.Second)
			o.State, a.Status, f.Wait.GiveUp = ledger.Invalid, "invalid", noon.Add(-1)
		}, order.Stop, "", ""},
		{"one that cannot be answered is left", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			o.State, a.Status, f.Proofs.Unplaceable[b.URL] = ledger.Invalid, "invalid", true
		}, order.Adjourn, "", ""},
		{"then tokens are cleared", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			in(f, ledger.Invalid)
			b.Placement = "p"
		}, order.Clear, "", "b"},
		{"then it is settled", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { in(f, ledger.Invalid) }, order.Settle, ledger.Invalid, ""},
		{"an expired order is settled", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { in(f, ledger.ExpiredState) }, order.Settle, ledger.ExpiredState, ""},
		{"not before its tokens are cleared", func(f *order.Facts, o *ledger.Order, a, b *ledger.Authorization) {
			in(f, ledger.ExpiredState)
			b.Placement = "p"
		}, order.Clear, "", "b"},
		{"a settled order is done", func(f *order.Facts, o *ledger.Order, _, _ *ledger.Authorization) { o.SettledAt = noon }, order.Done, "", ""},
	})
}

func TestASettledOrderSaysWhatItDiedOf(t *testing.T) {
	f := facts()
	in(&f, ledger.Invalid)
	f.Order.Class, f.Order.Sentence = string(failure.Validation), "a could not be validated"
	if act := order.Next(f); act.Class != failure.Validation || act.Why != f.Order.Sentence {
		t.Errorf("%+v", act)
	}
}
