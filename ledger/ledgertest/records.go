package ledgertest

import (
	"reflect"
	"time"

	"orderly/ledger"
)

// What is written is what is read, also the second time.

var recordTests = []test{
	{"every field of an account comes back", accountComesBack},
	{"every field of an order and its authorizations comes back", orderComesBack},
	{"every field of an order that can change is saved again", orderIsSavedAgain},
	{"every field of a certificate comes back", certificateComesBack},
	{"every field of a run comes back", runComesBack},
	{"every field of an event comes back", eventComesBack},
	{"every field of a standing comes back", standingComesBack},
	{"every field of a charge comes back", chargeComesBack},
	{"every field of a hold comes back", holdComesBack},
	{"every field of a task comes back", taskComesBack},
	{"every field of a revocation comes back, and the first stays", revocationComesBack},
	{"every field of what was found comes back", foundComesBack},
	{"what the CA said of what was found stays", foundStays},
	{"what was found is forgotten once it expired", foundIsForgotten},
	{"zero times stay zero", zeroTimesStayZero},
	{"times are kept to the microsecond, in UTC", timesAreKept},
}

func accountComesBack(b *bench) {
	var a ledger.Account
	(&filler{}).record(&a, "ID")
	b.commit(&ledger.Change{Account: &a})
	b.same("Account", must(b.store.Account(b.ctx, a.Server, a.URL))(b), &a)
	b.same("AccountByID", must(b.store.AccountByID(b.ctx, a.ID))(b), &a)
}

// filled is an order with a value in every field that is not the store's own business.
func (b *bench) filled(f *filler, state ledger.State) *ledger.Order {
	var o ledger.Order
	f.record(&o, "ID", "Version")
	o.AccountID, o.State, o.Names = b.account.ID, state, ledger.CanonicalNames(o.Names)
	return &o
}

func orderComesBack(b *bench) {
	o := b.filled(&filler{}, ledger.PendingState)
	b.saved(o)
	b.same("Order", b.read(o.ID), o)
	b.same("Orders", must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b), []*ledger.Order{o})
}

func orderIsSavedAgain(b *bench) {
	f := &filler{}
	first := b.saved(b.filled(f, ledger.PendingState))
	next := b.filled(f, ledger.Ready)
	next.ID, next.Version = first.ID, first.Version
	// What an order is never changes; see ledger.Change.
	next.AccountID, next.Lineage, next.Names = first.AccountID, first.Lineage, first.Names
	next.Profile, next.CreatedAt = first.Profile, first.CreatedAt
	for i, a := range first.Authorizations {
		next.Authorizations[i].ID = a.ID
	}
	next.Authorizations = append(next.Authorizations,
		&ledger.Authorization{URL: "one more", Status: "pending"})
	b.saved(next)
	b.same("Order", b.read(first.ID), next)
	if next.Version == first.Version {
		b.Error("the version does not count saves")
	}
	blank := &ledger.Order{ID: next.ID, Version: next.Version, AccountID: next.AccountID,
		Lineage: next.Lineage, Names: next.Names, Profile: next.Profile, CreatedAt: next.CreatedAt,
		State: ledger.Ready}
	for _, a := range next.Authorizations {
		blank.Authorizations = append(blank.Authorizations, &ledger.Authorization{ID: a.ID})
	}
	b.saved(blank)
	b.same("the order made blank", b.read(first.ID), blank)
}

func certificateComesBack(b *bench) {
	o := b.saved(b.order("a", ledger.Valid))
	var c ledger.Certificate
	(&filler{}).record(&c, "ID")
	c.OrderID, c.AccountID = o.ID, b.account.ID
	b.commit(&ledger.Change{Certificate: &c})
	b.same("Certificate", must(b.store.Certificate(b.ctx, c.Lineage))(b), &c)
}

func runComesBack(b *bench) {
	var r ledger.Run
	(&filler{}).record(&r, "ID", "LastStep", "LastAt", "LastDetail", "LastLineage", "LastOrder")
	b.commit(&ledger.Change{Run: &r})
	b.same("Runs", must(b.store.Runs(b.ctx, 0))(b), []ledger.Run{r})

	r.EndedAt, r.Outcome, r.ExitCode, r.Detail = r.EndedAt.Add(time.Hour), "stopped", 75, "SIGTERM"
	r.Round = false
	b.commit(&ledger.Change{Run: &r})
	b.same("Runs after its end", must(b.store.Runs(b.ctx, 0))(b), []ledger.Run{r})
}

func eventComesBack(b *bench) {
	o := b.saved(b.order("a", ledger.Valid))
	var e ledger.Event
	(&filler{}).record(&e, "ID", "Of")
	e.OrderID = o.ID
	c := &ledger.Change{Events: []ledger.Event{e}}
	b.commit(c)
	if c.Events[0].ID == 0 {
		b.Error("the event's id is not filled in")
	}
	b.same("Events", must(b.store.Events(b.ctx, o.ID, 0))(b), c.Events)
}

func standingComesBack(b *bench) {
	f := &filler{}
	var s ledger.Standing
	for range 2 { // made, then replaced
		lineage := s.Lineage
		f.record(&s)
		if lineage != "" {
			s.Lineage = lineage
		}
		b.commit(&ledger.Change{Standings: []ledger.Standing{s}})
		b.same("Standing", must(b.store.Standing(b.ctx, s.Lineage))(b), s)
	}
	b.same("the standing of an unknown lineage", must(b.store.Standing(b.ctx, "unknown"))(b),
		ledger.Standing{Lineage: "unknown"})
}

func chargeComesBack(b *bench) {
	var c ledger.Charge
	(&filler{}).record(&c)
	c.AccountID, c.OrderID = b.account.ID, b.saved(b.order("a", ledger.Invalid)).ID
	b.commit(&ledger.Change{Charges: []ledger.Charge{c}})
	b.same("Charges", must(b.store.Charges(b.ctx, b.account.ID, []string{c.Name}, day))(b),
		[]ledger.Charge{c})
}

func holdComesBack(b *bench) {
	f := &filler{}
	var h ledger.Hold
	for range 2 { // made, then replaced
		scope := h.Scope
		f.record(&h)
		h.AccountID = b.account.ID
		if scope != "" {
			h.Scope = scope
		}
		b.commit(&ledger.Change{Holds: []ledger.Hold{h}})
		b.same("Holds", must(b.store.Holds(b.ctx, b.account.ID, day))(b), []ledger.Hold{h})
	}
}

func revocationComesBack(b *bench) {
	f := &filler{}
	var v, later ledger.Revocation
	f.record(&v)
	f.record(&later, "Fingerprint")
	later.Fingerprint = v.Fingerprint
	b.commit(&ledger.Change{Revocations: []ledger.Revocation{v}})
	b.commit(&ledger.Change{Revocations: []ledger.Revocation{later}})
	b.same("Revocations", must(b.store.Revocations(b.ctx))(b), []ledger.Revocation{v})
}

func foundComesBack(b *bench) {
	var v ledger.Found
	(&filler{}).record(&v)
	b.commit(&ledger.Change{Found: []ledger.Found{v}})
	b.same("Found", must(b.store.Found(b.ctx, v.Expires.Add(-time.Second)))(b), []ledger.Found{v})
	b.same("Found, expired", must(b.store.Found(b.ctx, v.Expires))(b), []ledger.Found(nil))
}

func foundStays(b *bench) {
	at := time.Unix(1_700_000_000, 0).UTC()
	one := ledger.Found{URL: "https://ca.example/1", Name: "a.example", File: "x", Line: 1, FoundAt: at}
	told := one
	told.Status, told.CheckedAt = "valid", at
	again := one
	again.Line = 7
	for _, step := range []struct{ put, want ledger.Found }{{one, one}, {again, again}, {told, told}, {one, told}} {
		b.commit(&ledger.Change{Found: []ledger.Found{step.put}})
		b.same("Found", must(b.store.Found(b.ctx, at))(b), []ledger.Found{step.want})
	}
}

func foundIsForgotten(b *bench) {
	at := time.Unix(1_700_000_000, 0).UTC()
	b.commit(&ledger.Change{Found: []ledger.Found{{URL: "over", Expires: at}, {URL: "later", Expires: at.Add(time.Hour)},
		{URL: "who knows"}}})
	b.commit(&ledger.Change{FoundOver: at.Add(time.Minute)})
	var left []string
	for _, f := range must(b.store.Found(b.ctx, time.Unix(0, 0)))(b) {
		left = append(left, f.URL)
	}
	b.same("left", left, []string{"who knows", "later"})
}

func taskComesBack(b *bench) {
	f := &filler{}
	var t ledger.Task
	f.record(&t, "ID", "EndedAt")
	b.commit(&ledger.Change{Tasks: []*ledger.Task{&t}})
	b.same("Tasks", must(b.store.Tasks(b.ctx))(b), []ledger.Task{t})
	moved := t
	f.record(&moved, "ID", "EndedAt")
	b.commit(&ledger.Change{Tasks: []*ledger.Task{&moved}})
	t.Step, t.Payload = moved.Step, moved.Payload // what it is stays
	b.same("Tasks, moved on", must(b.store.Tasks(b.ctx))(b), []ledger.Task{t})
}

// everything reads back one record of each kind, in one value.
type everything struct {
	Account     *ledger.Account
	Orders      []*ledger.Order
	Certificate *ledger.Certificate
	Runs        []ledger.Run
	Events      []ledger.Event
	Standing    ledger.Standing
	Charges     []ledger.Charge
	Tasks       []ledger.Task
	Holds       []ledger.Hold
	Revocations []ledger.Revocation
	Found       []ledger.Found
	Logged      []ledger.LogFailure
	Infos       []ledger.RenewalInfo
	Memo        ledger.Memo
	Sightings   []ledger.Sighting
	Messages    []ledger.Message
	Pending     []ledger.Pending
}

func (b *bench) everything() everything {
	b.Helper()
	var e everything
	var err error
	if e.Certificate, err = b.store.Certificate(b.ctx, "a"); err != nil {
		e.Certificate = nil
	}
	e.Account = must(b.store.AccountByID(b.ctx, b.account.ID))(b)
	e.Orders = must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b)
	e.Runs = must(b.store.Runs(b.ctx, 0))(b)
	e.Events = must(b.store.Events(b.ctx, 0, 0))(b)
	e.Standing = must(b.store.Standing(b.ctx, "a"))(b)
	e.Charges = must(b.store.Charges(b.ctx, b.account.ID, []string{"a.example"}, time.Time{}))(b)
	e.Tasks = must(b.store.Tasks(b.ctx))(b)
	e.Holds = must(b.store.Holds(b.ctx, b.account.ID, time.Time{}))(b)
	e.Revocations = must(b.store.Revocations(b.ctx))(b)
	e.Found = must(b.store.Found(b.ctx, time.Time{}))(b)
	e.Logged = must(b.store.LogFailures(b.ctx, ledger.LogFilter{}))(b)
	e.Infos = must(b.store.RenewalInfos(b.ctx, ""))(b)
	if e.Memo, err = b.store.Memo(b.ctx, "m"); err != nil {
		e.Memo = ledger.Memo{}
	}
	e.Sightings = must(b.store.Sightings(b.ctx))(b)
	e.Messages = must(b.store.Messages(b.ctx))(b)
	e.Pending = must(b.store.Pending(b.ctx, time.Time{}))(b)
	return e
}

// one is a change with one new record of each kind whose times are all at.
func (b *bench) one(at time.Time) *ledger.Change {
	o := &ledger.Order{AccountID: b.account.ID, Lineage: "a", Names: []string{"a.example"},
		State: ledger.PendingState, CreatedAt: at, UpdatedAt: at, SettledAt: at, NotBefore: at,
		Expires: at, CreateSentAt: at, FinalizeSentAt: at, InstalledAt: at, DeployedAt: at,
		Authorizations: []*ledger.Authorization{{Status: "pending", Expires: at, SeenAt: at,
			AnswerSentAt: at}}}
	return &ledger.Change{
		Run:    &ledger.Run{Command: "renew", StartedAt: at, EndedAt: at},
		Orders: []*ledger.Order{o},
		Certificate: &ledger.Certificate{AccountID: b.account.ID, Lineage: "a", NotBefore: at,
			NotAfter: at, IssuedAt: at},
		Standings: []ledger.Standing{{Lineage: "a", At: at, NextAt: at, RefusedSince: at,
			LetThroughAt: at}},
		Charges:     []ledger.Charge{{AccountID: b.account.ID, Name: "a.example", At: at}},
		Holds:       []ledger.Hold{{AccountID: b.account.ID, Scope: "new-order", Until: at}},
		Tasks:       []*ledger.Task{{Kind: ledger.DeleteTask, Subject: "a", BegunAt: at}},
		Revocations: []ledger.Revocation{{Fingerprint: "f", At: at}},
		Found:       []ledger.Found{{URL: "u", FoundAt: at}},
		Logged:      []ledger.LogFailure{{Host: "h", First: at, Last: at, Until: at, Renewed: at}},
		RenewalInfos: []ledger.RenewalInfo{{Server: "s", Start: at, End: at, Moment: at, FirstAt: at,
			AskedAt: at, NextAt: at, Expires: at}},
		Memos: []ledger.Memo{{Key: "m", At: at}},
		Sightings: []ledger.Sighting{{Name: "a.example", ServedAt: at, ElsewhereSince: at,
			DeadSince: at, LookedAt: at}},
		Messages: []ledger.Message{{Channel: "c", Created: at, NextAt: at}},
		Events:   []ledger.Event{{Kind: "step", At: at, Of: o}},
	}
}

func zeroTimesStayZero(b *bench) {
	b.account.CreatedAt = time.Time{}
	b.account.URL += "0"
	b.account.ID = 0
	b.commit(&ledger.Change{Account: b.account})
	b.commit(b.one(time.Time{}))
	seen := 0
	times("", reflect.ValueOf(b.everything()), func(path string, t time.Time) {
		if seen++; !t.IsZero() {
			b.Errorf("%s is %v", path, t)
		}
	})
	if seen < 30 {
		b.Errorf("only %d times came back", seen)
	}
}

func timesAreKept(b *bench) {
	at := time.Date(2031, 5, 17, 12, 0, 0, 123456789, time.FixedZone("somewhere", 5*3600))
	b.account.CreatedAt = at
	b.account.URL += "0"
	b.account.ID = 0
	b.commit(&ledger.Change{Account: b.account})
	b.commit(b.one(at))
	want := time.Date(2031, 5, 17, 7, 0, 0, 123456000, time.UTC)
	seen := 0
	times("", reflect.ValueOf(b.everything()), func(path string, t time.Time) {
		if seen++; !t.Equal(want) && !t.IsZero() || t.Location() != time.UTC {
			b.Errorf("%s is %v", path, t)
		}
	})
	if seen < 30 {
		b.Errorf("only %d times came back", seen)
	}
}
