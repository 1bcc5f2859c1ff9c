package ledgertest

import (
	"errors"
	"fmt"
	"time"

	"orderly/ledger"
)

// What commands remember, what was seen of names, and what is still to be told.

var seenTests = []test{
	{"a memo comes back, and the next one with its key replaces it", memoIsReplaced},
	{"a sighting comes back, and the next one of its name replaces it", sightingIsReplaced},
	{"a sighting is removed, but for one that was looked at since", sightingIsForgotten},
	{"a message comes back with an id that it keeps until it was delivered", messageStays},
	{"a message that was delivered meanwhile does not come again", deliveredStaysAway},
	{"a refused change remembers, sees, tells and delivers nothing", seenIsTakenBack},
	{"messages of several writers at once are all there", messagesAtOnce},
}

func (b *bench) messages() []ledger.Message {
	b.Helper()
	return must(b.store.Messages(b.ctx))(b)
}

func memoIsReplaced(b *bench) {
	if _, err := b.store.Memo(b.ctx, "m"); !errors.Is(err, ledger.ErrNone) {
		b.Errorf("a memo that is not there: %v", err)
	}
	f := &filler{}
	var v, other ledger.Memo
	f.record(&v)
	f.record(&other)
	b.commit(&ledger.Change{Memos: []ledger.Memo{v, other}})
	b.same("Memo", must(b.store.Memo(b.ctx, v.Key))(b), v)
	next := ledger.Memo{Key: v.Key, At: day}
	b.commit(&ledger.Change{Memos: []ledger.Memo{next}})
	b.same("the next", must(b.handle().Memo(b.ctx, v.Key))(b), next)
	b.same("the other", must(b.store.Memo(b.ctx, other.Key))(b), other)
}

func sightingIsReplaced(b *bench) {
	f := &filler{}
	var v, other ledger.Sighting
	f.record(&v)
	f.record(&other)
	v.Name, other.Name = "b.example", "a.example"
	b.commit(&ledger.Change{Sightings: []ledger.Sighting{v, other}})
	b.same("Sightings", must(b.store.Sightings(b.ctx))(b), []ledger.Sighting{other, v})
	next := ledger.Sighting{Name: v.Name, LookedAt: day}
	b.commit(&ledger.Change{Sightings: []ledger.Sighting{next}})
	b.same("the next", must(b.handle().Sightings(b.ctx))(b), []ledger.Sighting{other, next})
}

func sightingIsForgotten(b *bench) {
	f := &filler{}
	var v, other ledger.Sighting
	f.record(&v)
	f.record(&other)
	v.Name, other.Name = "b.example", "a.example"
	never := ledger.Sighting{Name: "c.example"} // nobody ever looked at
	b.commit(&ledger.Change{Sightings: []ledger.Sighting{v, other, never}})
	looked := other
	looked.LookedAt = other.LookedAt.Add(time.Second)
	b.commitTo(b.handle(), &ledger.Change{Sightings: []ledger.Sighting{looked}})
	b.commit(&ledger.Change{SightingsGone: []ledger.Sighting{v, other, never, {Name: "nobody.example"}}})
	b.same("what is left", must(b.handle().Sightings(b.ctx))(b), []ledger.Sighting{looked})
	b.refused(&ledger.Change{Tasks: []*ledger.Task{{ID: 99}}, SightingsGone: []ledger.Sighting{looked}}, nil)
	b.same("after a refused change", must(b.store.Sightings(b.ctx))(b), []ledger.Sighting{looked})
	b.commit(&ledger.Change{SightingsGone: []ledger.Sighting{looked}})
	b.equal("sightings", len(must(b.store.Sightings(b.ctx))(b)), 0)
}

func messageStays(b *bench) {
	f := &filler{}
	var v, moved ledger.Message
	f.record(&v, "ID")
	c := &ledger.Change{Messages: []ledger.Message{v, {Channel: "mail"}}}
	b.commit(c)
	v.ID = c.Messages[0].ID
	if v.ID == 0 || c.Messages[1].ID <= v.ID {
		b.Fatalf("ids %d and %d", v.ID, c.Messages[1].ID)
	}
	b.same("Messages", b.messages(), []ledger.Message{v, c.Messages[1]})
	f.record(&moved, "ID")
	moved.ID = v.ID
	b.commit(&ledger.Change{Messages: []ledger.Message{moved}})
	v.NextAt, v.Tries, v.Problem = moved.NextAt, moved.Tries, moved.Problem // what it is stays
	b.same("one that was tried", b.messages(), []ledger.Message{v, c.Messages[1]})
	b.commit(&ledger.Change{Delivered: []int64{v.ID}})
	b.same("what is left", b.messages(), []ledger.Message{c.Messages[1]})
	b.commit(&ledger.Change{Delivered: []int64{v.ID, c.Messages[1].ID}})
	again := &ledger.Change{Messages: []ledger.Message{{Channel: "mail"}}}
	b.commit(again)
	if id := again.Messages[0].ID; id <= c.Messages[1].ID {
		b.Errorf("the id %d is given again", id)
	}
}

func deliveredStaysAway(b *bench) {
	c := &ledger.Change{Messages: []ledger.Message{{Channel: "mail"}}}
	b.commit(c)
	b.commitTo(b.handle(), &ledger.Change{Delivered: []int64{c.Messages[0].ID}})
	c.Messages[0].Tries++
	b.commit(c)
	b.equal("messages", len(b.messages()), 0)
}

func seenIsTakenBack(b *bench) {
	b.commit(b.one(day))
	before := b.everything()
	c := &ledger.Change{
		Memos:     []ledger.Memo{{Key: "m", Body: []byte("new")}, {Key: "n"}},
		Sightings: []ledger.Sighting{{Name: "a.example"}, {Name: "b.example"}},
		Messages:  []ledger.Message{{Channel: "new"}, {ID: before.Messages[0].ID, Tries: 7}},
		Delivered: []int64{before.Messages[0].ID},
		Events:    []ledger.Event{{Kind: "step", Of: &ledger.Order{}}},
	}
	b.refused(c, nil)
	b.same("the ledger", b.everything(), before)
	if _, err := b.store.Memo(b.ctx, "n"); !errors.Is(err, ledger.ErrNone) {
		b.Errorf("a memo of a refused change: %v", err)
	}
	b.equal("the id of a refused message", c.Messages[0].ID, 0)
}

func messagesAtOnce(b *bench) {
	const writers, each = 8, 5
	errs := b.together(writers, func(i int, s ledger.Store) error {
		for n := range each {
			c := &ledger.Change{Messages: []ledger.Message{{Channel: fmt.Sprint(i), Tries: n}},
				Memos:     []ledger.Memo{{Key: "m", Body: fmt.Append(nil, i)}},
				Sightings: []ledger.Sighting{{Name: fmt.Sprint(i, ".example")}}}
			if err := s.Commit(b.ctx, c); err != nil {
				return err
			}
			if n%2 == 0 {
				continue
			}
			if err := s.Commit(b.ctx, &ledger.Change{Delivered: []int64{c.Messages[0].ID}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	b.equal("messages", len(b.messages()), writers*(each-each/2))
	b.equal("sightings", len(must(b.store.Sightings(b.ctx))(b)), writers)
}
