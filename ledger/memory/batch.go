package memory

import (
	"errors"
	"slices"

	"orderly/ledger"
)

// A batch is several changes in one transaction, as a committer writes them: all of them are there,
// or none is. Whoever reads meanwhile would see what is not durable yet, so that nothing may read
// between Begin and the end.

// Batch implements committer.Tx.
type Batch struct {
	s       *Store
	undos   []func()
	mark    int // undos before the savepoint
	changes int64
	synced  bool
}

// Begin begins a batch. Nobody else writes before it has ended.
func (s *Store) Begin() *Batch {
	s.writing <- struct{}{}
	return &Batch{s: s}
}

// Write writes a change. An error is the change's own: nothing of it is in the batch.
func (b *Batch) Write(c *ledger.Change) error {
	undos, err := b.s.write(c)
	if err == nil {
		b.undos = append(b.undos, undos...)
		b.changes++
		b.synced = b.synced || !c.Unsynced
	}
	return err
}

// Savepoint implements committer.Tx.
func (b *Batch) Savepoint() error {
	b.mark = len(b.undos)
	return nil
}

// Release implements committer.Tx.
func (b *Batch) Release() error { return nil }

// RollBackTo implements committer.Tx.
func (b *Batch) RollBackTo() error {
	b.s.takeBack(b.undos[b.mark:])
	b.undos = b.undos[:b.mark]
	return nil
}

// Commit implements committer.Tx.
func (b *Batch) Commit() error {
	b.s.commits.Add(b.changes)
	b.s.keep(b.undos, b.synced)
	<-b.s.writing
	return nil
}

// Rollback implements committer.Tx. It takes back what the changes gave to records, too.
func (b *Batch) Rollback() {
	b.s.takeBack(b.undos)
	<-b.s.writing
}

// write writes a change and returns how it is taken back.
func (s *Store) write(c *ledger.Change) (undos []func(), err error) {
	w := &clerk{Store: s, spent: s.ask(c.Spends)}
	s.mu.Lock()
	w.change(c)
	s.mu.Unlock()
	if w.err == nil {
		return w.undos, nil
	}
	s.takeBack(w.undos)
	if refused, ok := errors.AsType[refusal](w.err); ok {
		return nil, refused.error
	}
	return nil, w.err
}

func (s *Store) takeBack(undos []func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, undo := range slices.Backward(undos) {
		undo()
	}
}
