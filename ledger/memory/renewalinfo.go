package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"orderly/ledger"
)

// What CAs said of when certificates should be renewed.

// infoKey is what renewal information is known by.
type infoKey struct{ server, id string }

func (w *clerk) renewalInfo(i ledger.RenewalInfo) {
	for _, t := range []*time.Time{&i.Start, &i.End, &i.Moment, &i.FirstAt, &i.AskedAt, &i.NextAt,
		&i.Expires} {
		*t = micro(*t)
	}
	key := infoKey{i.Server, i.ID}
	if old, there := w.infos[key]; there {
		i.FirstAt = old.FirstAt
		if !old.Moment.IsZero() && old.SameWindow(i) {
			i.Moment, i.Early = old.Moment, old.Early
		}
	}
	put(w, w.infos, key, i)
}

// forgetRenewalInfos removes what is about certificates that expired before a moment.
func (w *clerk) forgetRenewalInfos(over time.Time) {
	for key, i := range w.infos {
		if !i.Expires.IsZero() && i.Expires.Before(over) {
			delete(w.infos, key)
			w.undos = append(w.undos, func() { w.infos[key] = i })
		}
	}
}

// RenewalInfos implements ledger.Store.
func (s *Store) RenewalInfos(ctx context.Context, lineage string) ([]ledger.RenewalInfo, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.RenewalInfo
	for _, i := range s.infos {
		if lineage == "" || i.Lineage == lineage || i.Lineage == "" {
			found = append(found, i)
		}
	}
	slices.SortFunc(found, func(a, b ledger.RenewalInfo) int {
		return cmp.Or(strings.Compare(a.Server, b.Server), strings.Compare(a.ID, b.ID))
	})
	return found, nil
}
