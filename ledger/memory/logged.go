package memory

// What logs of other clients tell: merged as it comes, read by people who ask why.

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"orderly/ledger"
)

// loggedKey is what a failure that logs tell is known by.
type loggedKey struct{ host, lineage, name, class string }

func (w *clerk) logged(f ledger.LogFailure) {
	key := loggedKey{f.Host, f.Lineage, f.Name, f.Class}
	f.First, f.Last, f.Until, f.Renewed = micro(f.First), micro(f.Last), micro(f.Until), micro(f.Renewed)
	f.Days = slices.Clone(f.Days)
	if old, there := w.logs[key]; there {
		f = f.Merged(old)
	}
	put(w, w.logs, key, f)
}

// forgetLogged removes what befell last before a moment.
func (w *clerk) forgetLogged(over time.Time) {
	for key, f := range w.logs {
		if f.Last.Before(over) {
			delete(w.logs, key)
			w.undos = append(w.undos, func() { w.logs[key] = f })
		}
	}
}

// LogFailures implements ledger.Store.
func (s *Store) LogFailures(ctx context.Context, f ledger.LogFilter) ([]ledger.LogFailure, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.LogFailure
	for _, one := range s.logs {
		if selectsLogged(f, one) {
			one.Days = slices.Clone(one.Days)
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b ledger.LogFailure) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Lineage, b.Lineage),
			strings.Compare(a.Name, b.Name), strings.Compare(a.Class, b.Class))
	})
	return found, nil
}

func selectsLogged(f ledger.LogFilter, one ledger.LogFailure) bool {
	switch {
	case len(f.Hosts) > 0 && !slices.Contains(f.Hosts, one.Host):
		return false
	case one.Last.Before(f.Since):
		return false
	case len(f.Names) == 0 && len(f.Lineages) == 0:
		return true
	case one.Name == "":
		return slices.Contains(f.Lineages, one.Lineage)
	}
	return slices.Contains(f.Names, one.Name)
}
