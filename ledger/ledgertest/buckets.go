package ledgertest

import (
	"errors"
	"time"

	"orderly/ledger"
	"orderly/limit"
)

// Two processes must never spend one token of a CA's limit twice.

var bucketTests = []test{
	{"a bucket is made, changed and listed by account, name and key", bucketsComeBack},
	{"named buckets are read alone, each once, of the account", bucketsByName},
	{"a refused spend undoes the whole change and its error comes back as it is", refusedSpend},
	{"of many that take from one bucket at once, none takes what another took", spendsAtOnce},
}

// spend takes a minute from a bucket.
func (b *bench) spend(name, key string) ledger.Spend {
	return ledger.Spend{AccountID: b.account.ID, Name: name, Key: key,
		Next: func(tat time.Time) (time.Time, error) {
			if tat.IsZero() {
				tat = day
			}
			return tat.Add(time.Minute), nil
		}}
}

func bucketsComeBack(b *bench) {
	b.commit(&ledger.Change{Spends: []ledger.Spend{b.spend("Z", ""), b.spend("A", "b.example"), b.spend("A", "a.example"), b.spend("A", "a.example")}})
	b.commit(&ledger.Change{Spends: []ledger.Spend{b.spend("Z", "")}})
	want := []ledger.Bucket{
		{AccountID: b.account.ID, Name: "A", Key: "a.example", TAT: day.Add(2 * time.Minute)},
		{AccountID: b.account.ID, Name: "A", Key: "b.example", TAT: day.Add(time.Minute)},
		{AccountID: b.account.ID, Name: "Z", TAT: day.Add(2 * time.Minute)},
	}
	b.same("Buckets of the account", must(b.store.Buckets(b.ctx, b.account.ID))(b), want)
	b.same("Buckets of all", must(b.store.Buckets(b.ctx, 0))(b), want)
	if got := must(b.store.Buckets(b.ctx, b.account.ID+1))(b); len(got) != 0 {
		b.Errorf("another account has %v", got)
	}
}

func bucketsByName(b *bench) {
	other := &ledger.Account{Server: b.account.Server, URL: b.account.URL + "0"}
	b.commit(&ledger.Change{Account: other})
	mine := []ledger.Spend{b.spend("A", "a.example"), b.spend("A", "b.example"), b.spend("Z", "")}
	theirs := b.spend("A", "b.example")
	theirs.AccountID = other.ID
	b.commit(&ledger.Change{Spends: append(mine, theirs)})
	asked := []limit.Bucket{{Name: "Z"}, {Name: "A", Key: "b.example"}, {Name: "Z"},
		{Name: "Z", Key: "a.example"}, {Name: "B", Key: "b.example"}}
	b.same("BucketsOf", must(b.store.BucketsOf(b.ctx, b.account.ID, asked))(b), []ledger.Bucket{
		{AccountID: b.account.ID, Name: "A", Key: "b.example", TAT: day.Add(time.Minute)},
		{AccountID: b.account.ID, Name: "Z", TAT: day.Add(time.Minute)},
	})
	for what, got := range map[string][]ledger.Bucket{
		"no buckets":           must(b.store.BucketsOf(b.ctx, b.account.ID, nil))(b),
		"an unknown account's": must(b.store.BucketsOf(b.ctx, other.ID+1, asked))(b),
		"the other account's":  must(b.store.BucketsOf(b.ctx, other.ID, asked[:1]))(b),
	} {
		if len(got) != 0 {
			b.Errorf("%s: %v", what, got)
		}
	}
}

func refusedSpend(b *bench) {
	empty := errors.New("the bucket is empty")
	o := b.order("a", ledger.Creating)
	err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}, Spends: []ledger.Spend{b.spend("A", ""), {
		AccountID: b.account.ID, Name: "B",
		Next: func(time.Time) (time.Time, error) { return time.Time{}, empty }}}})
	if err != empty {
		b.Errorf("Commit answers %v", err)
	}
	if got := must(b.store.Buckets(b.ctx, 0))(b); len(got) != 0 || o.ID != 0 {
		b.Errorf("something stayed: %v, order %d", got, o.ID)
	}
}

func spendsAtOnce(b *bench) {
	const n = 20
	for _, err := range b.together(n, func(_ int, s ledger.Store) error {
		return s.Commit(b.ctx, &ledger.Change{Spends: []ledger.Spend{b.spend("A", "")}})
	}) {
		if err != nil {
			b.Errorf("Commit: %v", err)
		}
	}
	b.same("the bucket", must(b.store.Buckets(b.ctx, 0))(b),
		[]ledger.Bucket{{AccountID: b.account.ID, Name: "A", TAT: day.Add(n * time.Minute)}})
}
