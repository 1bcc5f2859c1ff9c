package ledgertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// What a run looks up before it orders: the answers to a name that is there, is not there, or looks
// like another.

var lookupTests = []test{
	{"an empty ledger answers with empty lists and ErrNone", emptyLedgerAnswers},
	{"an account is known by server and URL, and made once", accountIsMadeOnce},
	{"showing `processing` stays true once it was", showingProcessingStays},
	{"the newest certificate of a lineage is returned", newestCertificate},
	{"a name set counts as issued by account, set and time, whatever lineage it was for", issuedSets},
	{"records that do not exist cannot be changed or belonged to", strangersAreRefused},
	{"empty lists come back empty", emptyListsComeBack},
	{"odd characters come back, in every text a filter compares", oddCharactersComeBack},
	{"a path that is not UTF-8 is refused instead of altered", otherBytesAreRefused},
	{"names no name key can hold are refused", oddNamesAreRefused},
}

func emptyLedgerAnswers(b *bench) {
	for what, err := range map[string]error{
		"Account": second(b.store.Account(b.ctx, "https://ca.example/directory",
			"https://ca.example/acct/2")),
		"AccountByID": second(b.store.AccountByID(b.ctx, b.account.ID+1)),
		"Order":       second(b.store.Order(b.ctx, 1)),
		"Certificate": second(b.store.Certificate(b.ctx, "a")),
	} {
		if !errors.Is(err, ledger.ErrNone) {
			b.Errorf("%s answers %v", what, err)
		}
	}
	b.same("Standing", must(b.store.Standing(b.ctx, "a"))(b), ledger.Standing{Lineage: "a"})
	e := b.everything()
	b.equal("the lists' lengths",
		[]int{len(e.Orders), len(e.Runs), len(e.Events), len(e.Charges), len(e.Tasks), len(e.Holds),
			len(e.Pending)}, make([]int, 7))
}

func second[V any](_ V, err error) error { return err }

func accountIsMadeOnce(b *bench) {
	again := &ledger.Account{Server: b.account.Server, URL: b.account.URL, KeyID: "other",
		OrdersURL: "list", CreatedAt: day.Add(1), UnlistedAt: day.Add(time.Hour)}
	elsewhere := &ledger.Account{Server: "https://other.example/directory", URL: b.account.URL,
		CreatedAt: day}
	b.commit(&ledger.Change{Account: again})
	b.commit(&ledger.Change{Account: elsewhere})
	if again.ID != b.account.ID || elsewhere.ID == b.account.ID {
		b.Errorf("ids: first %d, the same again %d, another server's %d", b.account.ID, again.ID,
			elsewhere.ID)
	}
	got := must(b.store.AccountByID(b.ctx, again.ID))(b)
	if got.KeyID != "other" || got.OrdersURL != "list" || !got.CreatedAt.Equal(day) || !got.UnlistedAt.Equal(day.Add(time.Hour)) {
		b.Errorf("after the second commit: %+v", got)
	}
	// An order in the same change that names no account belongs to the change's.
	o := &ledger.Order{Lineage: "a", Names: []string{"a.example"}, State: ledger.Creating}
	b.commit(&ledger.Change{Account: elsewhere, Orders: []*ledger.Order{o}})
	if o.AccountID != elsewhere.ID || b.read(o.ID).AccountID != elsewhere.ID {
		b.Errorf("the order belongs to account %d", o.AccountID)
	}
}

func showingProcessingStays(b *bench) {
	for _, shows := range []bool{false, true, false} {
		b.account.ShowsProcessing = shows
		b.commit(&ledger.Change{Account: b.account})
	}
	if !must(b.store.AccountByID(b.ctx, b.account.ID))(b).ShowsProcessing {
		b.Error("it was forgotten")
	}
}

func newestCertificate(b *bench) {
	for i, lineage := range []string{"a", "b", "a", "b"} {
		o := b.order(lineage, ledger.Installed)
		b.commit(&ledger.Change{Orders: []*ledger.Order{o}, Certificate: &ledger.Certificate{
			AccountID: b.account.ID, Lineage: lineage, Serial: fmt.Sprint(i),
			NotAfter: day.Add(-time.Duration(i) * time.Hour)}})
		got := must(b.store.Certificate(b.ctx, lineage))(b)
		if got.Serial != fmt.Sprint(i) || got.OrderID != o.ID {
			b.Errorf("certificate of %s: serial %s of order %d, want %d of order %d", lineage,
				got.Serial, got.OrderID, i, o.ID)
		}
	}
	if got := must(b.store.Certificate(b.ctx, "a"))(b); got.Serial != "2" {
		b.Errorf("another lineage's certificate changes the answer: serial %s", got.Serial)
	}
}

func issuedSets(b *bench) {
	names := []string{"B.example", "a.example"}
	for i, lineage := range []string{"a", "b"} {
		b.commit(&ledger.Change{Orders: []*ledger.Order{b.order(lineage, ledger.Installed, names...)},
			Certificate: &ledger.Certificate{AccountID: b.account.ID, Lineage: lineage,
				Names: names, IssuedAt: day.Add(-time.Duration(i) * time.Hour)}})
	}
	key := ledger.NameKey(names)
	for _, one := range []struct {
		what    string
		account int64
		key     string
		since   time.Time
		want    bool
	}{
		{"before it", b.account.ID, key, day.Add(-time.Microsecond), true},
		{"of old", b.account.ID, key, time.Time{}, true},
		{"the very moment", b.account.ID, key, day, false},
		{"another account", b.account.ID + 1, key, time.Time{}, false},
		{"fewer names", b.account.ID, "a.example", time.Time{}, false},
	} {
		got := must(b.store.Issued(b.ctx, one.account, one.key, one.since))(b)
		if got != one.want {
			b.Errorf("%s: %t", one.what, got)
		}
	}
}

func strangersAreRefused(b *bench) {
	mine := b.order("a", ledger.PendingState)
	mine.Authorizations = []*ledger.Authorization{{URL: "mine"}}
	other := b.order("b", ledger.PendingState)
	b.commit(&ledger.Change{Orders: []*ledger.Order{mine, other}})

	none := ledger.ErrNone
	b.refused(&ledger.Change{Run: &ledger.Run{ID: 99, Command: "x"}}, none)
	b.refused(&ledger.Change{Tasks: []*ledger.Task{{ID: 99}}}, none)
	other.Authorizations = mine.Authorizations // of another order
	b.refused(&ledger.Change{Orders: []*ledger.Order{other}}, none)
	other.Authorizations = []*ledger.Authorization{{ID: 99}}
	b.refused(&ledger.Change{Orders: []*ledger.Order{other}}, none)
	b.refused(&ledger.Change{Events: []ledger.Event{{Kind: "step", Of: b.order("c", ledger.Creating)}}}, nil)

	stranger := b.order("c", ledger.Creating)
	stranger.AccountID = 99
	err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{stranger}})
	if err == nil || errors.Is(err, ledger.ErrLive) || errors.Is(err, ledger.ErrStale) {
		b.Errorf("an order of an account that is not there: %v", err)
	}
	b.refused(&ledger.Change{Certificate: &ledger.Certificate{OrderID: 99, AccountID: b.account.ID}}, nil)
	b.refused(&ledger.Change{Charges: []ledger.Charge{{AccountID: 99}}}, nil)
	b.refused(&ledger.Change{Holds: []ledger.Hold{{AccountID: 99}}}, nil)
	if got := b.read(mine.ID); len(got.Authorizations) != 1 || got.Authorizations[0].URL != "mine" {
		b.Errorf("the authorization's own order has %d now", len(got.Authorizations))
	}
}

func emptyListsComeBack(b *bench) {
	o := &ledger.Order{AccountID: b.account.ID, State: ledger.Creating}
	b.commit(&ledger.Change{Orders: []*ledger.Order{o},
		Certificate: &ledger.Certificate{AccountID: b.account.ID}})
	got := b.read(o.ID)
	if len(got.Names)+len(got.Authorizations)+len(got.Request.Names)+len(got.Request.Host)+len(got.Chain) != 0 {
		b.Errorf("an order without names has %q, request %+v", got.Names, got.Request)
	}
	if c := must(b.store.Certificate(b.ctx, ""))(b); len(c.Names) != 0 {
		b.Errorf("a certificate without names has %q", c.Names)
	}
	if got := must(b.store.Charges(b.ctx, b.account.ID, nil, day))(b); len(got) != 0 {
		b.Errorf("charges of no name: %v", got)
	}
	b.commit(&ledger.Change{})
}

func oddCharactersComeBack(b *bench) {
	for _, odd := range []string{"*.a.example", "it's", `say "a"`, `back\slash`, "100%", "under_score", "ünï.example", "日本.example",
		"\U0001F512.example", "two\nlines", " blank ", "?", ":name", "$1", "--", ";", "{}", "[]",
		"null", "0", "123456789012345678901"} {
		o := b.order(odd, ledger.PendingState, odd)
		o.URL, o.Profile = odd, odd
		b.commit(&ledger.Change{Orders: []*ledger.Order{o},
			Certificate: &ledger.Certificate{AccountID: b.account.ID, Lineage: odd,
				Names: []string{odd, "," + odd}},
			Standings: []ledger.Standing{{Lineage: odd, Reason: ledger.Reason{Class: odd}}},
			Charges:   []ledger.Charge{{AccountID: b.account.ID, Name: odd, At: day}}})
		b.equal("Names", b.read(o.ID).Names, []string{odd})
		for _, f := range []ledger.OrderFilter{{Lineage: odd}, {URL: odd}, {Lineage: odd, URL: odd, Live: true}} {
			b.equal(fmt.Sprintf("Orders(%+v)", f), ids(must(b.store.Orders(b.ctx, f))(b)),
				[]int64{o.ID})
		}
		c := must(b.store.Certificate(b.ctx, odd))(b)
		if !slices.Equal(c.Names, []string{odd, "," + odd}) {
			b.Errorf("the certificate's names are %q", c.Names)
		}
		if got := must(b.store.Standing(b.ctx, odd))(b); got.Class != odd {
			b.Errorf("the standing of %q is of class %q", odd, got.Class)
		}
		if got := must(b.store.Charges(b.ctx, b.account.ID, []string{odd}, day))(b); len(got) != 1 || got[0].Name != odd {
			b.Errorf("charges of %q: %+v", odd, got)
		}
	}
}

// wants is what a host wants that writes tokens into a directory.
func wants(root string) ledger.Payload {
	text, _ := json.Marshal(map[string]map[string]string{"webroots": {"a.example": root}})
	return ledger.Payload(text)
}

func otherBytesAreRefused(b *bench) {
	o := b.order("a", ledger.Creating)
	o.Request.Host = wants("/srv/m\xfcller")
	if err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}}); failure.ClassOf(err) != failure.Config || failure.RemedyOf(err) == "" {
		b.Errorf("a document root in Latin-1 is answered with %v, class %q", err,
			failure.ClassOf(err))
	}
	o.Request.Host = wants(`/srv/\ufffd/` + "\ufffd")
	b.saved(o)
	b.equal("Host", b.read(o.ID).Request.Host, o.Request.Host)
	o.Request.Host = wants("/srv/m\xfcller")
	b.refused(&ledger.Change{Orders: []*ledger.Order{o}}, nil)
}

func oddNamesAreRefused(b *bench) {
	for _, name := range []string{"", "a.example,b.example", ","} {
		b.refused(&ledger.Change{Orders: []*ledger.Order{b.order("a", ledger.Creating, name, "c.example")}}, nil)
	}
}
