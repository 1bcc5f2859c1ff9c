package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/ledger"
)

// What commands remember, what was seen of names, and what is still to be told.

// remove takes an element out of a map until undo.
func remove[K comparable, V any](w *clerk, m map[K]V, key K) {
	if old, was := m[key]; was {
		delete(m, key)
		w.undos = append(w.undos, func() { m[key] = old })
	}
}

func (w *clerk) seen(c *ledger.Change) {
	for _, m := range c.Memos {
		m.At, m.Body = micro(m.At), cloned(m.Body)
		put(w, w.memos, m.Key, m)
	}
	for _, s := range c.Sightings {
		for _, t := range []*time.Time{&s.ServedAt, &s.ElsewhereSince, &s.DeadSince, &s.LookedAt} {
			*t = micro(*t)
		}
		s.Addresses = cloned(s.Addresses)
		put(w, w.sightings, s.Name, s)
	}
	for _, s := range c.SightingsGone {
		if !w.sightings[s.Name].LookedAt.After(micro(s.LookedAt)) {
			remove(w, w.sightings, s.Name)
		}
	}
	for i := range c.Messages {
		w.message(&c.Messages[i])
	}
	for _, id := range c.Delivered {
		remove(w, w.messages, id)
	}
}

func (w *clerk) message(m *ledger.Message) {
	kept := *m
	if m.ID == 0 {
		give(w, &m.ID, w.next("message"))
		kept.ID, kept.Body = m.ID, cloned(m.Body)
		kept.Created, kept.NextAt = micro(m.Created), micro(m.NextAt)
	} else {
		old, there := w.messages[m.ID]
		if !there {
			return // delivered meanwhile
		}
		kept = old
		kept.NextAt, kept.Tries, kept.Problem = micro(m.NextAt), m.Tries, m.Problem
	}
	put(w, w.messages, kept.ID, kept)
}

// cloned is a copy of a list, nil where it is empty.
func cloned[E any](list []E) []E { return append([]E(nil), list...) }

// Memo implements ledger.Store.
func (s *Store) Memo(ctx context.Context, key string) (ledger.Memo, error) {
	if err := s.begin(ctx); err != nil {
		return ledger.Memo{}, err
	}
	defer s.mu.Unlock()
	m, there := s.memos[key]
	if !there {
		return ledger.Memo{}, none("memo", key)
	}
	m.Body = cloned(m.Body)
	return m, nil
}

// Sightings implements ledger.Store.
func (s *Store) Sightings(ctx context.Context) ([]ledger.Sighting, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := slices.SortedFunc(maps.Values(s.sightings), func(a, b ledger.Sighting) int {
		return strings.Compare(a.Name, b.Name)
	})
	for i := range found {
		found[i].Addresses = cloned(found[i].Addresses)
	}
	return found, nil
}

// Messages implements ledger.Store.
func (s *Store) Messages(ctx context.Context) ([]ledger.Message, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := slices.SortedFunc(maps.Values(s.messages), func(a, b ledger.Message) int {
		return cmp.Compare(a.ID, b.ID)
	})
	for i := range found {
		found[i].Body = cloned(found[i].Body)
	}
	return found, nil
}
