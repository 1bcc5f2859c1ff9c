package memory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderly/failure"
	"orderly/ledger"
)

// Orders are guarded as in SQL: by their version, and by the one that may live.

func (w *clerk) order(o *ledger.Order) {
	if w.err != nil {
		return
	}
	kept := copyOrder(o)
	old := w.orders[o.ID]
	switch {
	case o.ID == 0:
		w.fresh(o, kept)
	case old == nil || old.Version != o.Version:
		w.fail(fmt.Errorf("order %d: %w", o.ID, ledger.ErrStale))
	default:
		kept.AccountID, kept.Lineage, kept.Names = old.AccountID, old.Lineage, old.Names
		kept.Profile, kept.CreatedAt = old.Profile, old.CreatedAt
	}
	if w.err == nil {
		w.fail(whole(kept.Request))
	}
	if w.err != nil {
		return
	}
	orderTimes(kept)
	w.authorizations(o, kept, old)
	w.lives(kept, old)
	kept.Version = o.Version + 1
	give(w, &o.Version, kept.Version)
	put(w, w.orders, kept.ID, kept)
	if kept.URL != "" && (old == nil || old.URL != kept.URL) {
		put(w, w.urls, kept.URL, append(slices.Clone(w.urls[kept.URL]), kept.ID))
	}
}

// fresh prepares an order that is not in the book yet.
func (w *clerk) fresh(o, kept *ledger.Order) {
	give(w, &o.Names, ledger.CanonicalNames(o.Names))
	kept.Names = slices.Clone(o.Names)
	w.known(o.AccountID)
	for _, name := range o.Names {
		if name == "" || strings.Contains(name, ",") {
			w.fail(fmt.Errorf("%q cannot be a name of an order", name))
		}
	}
	if w.err != nil {
		return
	}
	kept.ID = w.next("order")
	give(w, &o.ID, kept.ID)
	put(w, w.lineages, kept.Lineage, append(slices.Clone(w.lineages[kept.Lineage]), kept.ID))
}

// lives keeps one live order per account, lineage, profile and name set.
func (w *clerk) lives(kept, old *ledger.Order) {
	key := fmt.Sprint(kept.AccountID, " ", kept.Lineage, " ", kept.Profile, " ",
		ledger.NameKey(kept.Names))
	holder := w.alive[key]
	switch {
	case kept.State.Live() && holder != 0 && holder != kept.ID:
		w.fail(ledger.ErrLive)
		return
	case kept.State.Live():
		put(w, w.alive, key, kept.ID)
	case old != nil && holder == kept.ID:
		put(w, w.alive, key, 0)
	}
	was := w.active[kept.ID]
	is := kept.State.Live() || kept.SettledAt.IsZero()
	if was == is {
		return
	}
	if is {
		w.active[kept.ID] = true
	} else {
		delete(w.active, kept.ID)
	}
	w.undos = append(w.undos, func() {
		if delete(w.active, kept.ID); was {
			w.active[kept.ID] = true
		}
	})
}

// authorizations lays the saved ones over those that the book has; what is left out stays.
func (w *clerk) authorizations(o, kept, old *ledger.Order) {
	var list []*ledger.Authorization
	if old != nil {
		list = slices.Clone(old.Authorizations)
	}
	for i, a := range kept.Authorizations {
		a.Expires, a.SeenAt, a.AnswerSentAt = micro(a.Expires), micro(a.SeenAt), micro(a.AnswerSentAt)
		if a.ID == 0 {
			a.ID = w.next("authorization")
			give(w, &o.Authorizations[i].ID, a.ID)
			list = append(list, a)
			continue
		}
		at := slices.IndexFunc(list,
			func(known *ledger.Authorization) bool { return known.ID == a.ID })
		if at < 0 {
			w.fail(none("authorization", a.ID))
			return
		}
		list[at] = a
	}
	kept.Authorizations = list
}

func orderTimes(o *ledger.Order) {
	for _, t := range []*time.Time{&o.CreatedAt, &o.UpdatedAt, &o.SettledAt, &o.NotBefore, &o.Expires,
		&o.CreateSentAt, &o.FinalizeSentAt, &o.InstalledAt, &o.DeployedAt} {
		*t = micro(*t)
	}
}

// whole refuses a request with strings that JSON would not give back.
func whole(r ledger.Request) error {
	// Whoever wrote that into JSON lost bytes.
	if strings.Contains(strings.ReplaceAll(string(r.Host), `\\`, ``), `\ufffd`) {
		return failure.New(failure.Config, "Rename the directory or file.",
			"a name or path is not UTF-8: %s", r.Host)
	}
	for _, s := range slices.Concat([]string{r.Lineage, r.Server}, r.Names) {
		if !utf8.ValidString(s) {
			text, _ := json.Marshal(s)
			return failure.New(failure.Config, "Rename the directory or file.",
				"a name or path is not UTF-8: %s", text)
		}
	}
	return nil
}
