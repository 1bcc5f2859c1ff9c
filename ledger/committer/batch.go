package committer

import "slices"

// A batch is one transaction of several changes. Its members' records are touched by one goroutine
// at a time: the member's own while it writes, the leader's while all of them are blocked.

// batch is a transaction and the members whose changes it takes.
type batch[T Tx] struct {
	tx      T
	leader  *member[T]
	members []*member[T] // in the order in which they came, which is that in which they write
	in      []*member[T] // those whose changes are in the transaction
	wrote   chan struct{}
}

// run writes and commits, and tells the members what became of their changes. It returns those that
// are to be written once more.
func (b *batch[T]) run() (failed []*member[T]) {
	err := b.write()
	switch {
	case err == nil && len(b.in) > 0:
		err = b.tx.Commit()
	case err == nil: // each has an error of its own
		b.tx.Rollback()
	}
	if err != nil && len(b.members) > 1 {
		return b.fail()
	}
	if err != nil { // nobody else has part in it
		b.undo()
		b.leader.err = err
	}
	for _, m := range b.members {
		m.next <- told
	}
	return nil
}

// write lets one member after the other write. It stops at an error that may have ended the
// transaction: what is written after that would be written outside of it.
func (b *batch[T]) write() error {
	several := len(b.members) > 1
	for _, m := range b.members {
		if several {
			if err := b.tx.Savepoint(); err != nil {
				return err
			}
		}
		b.let(m)
		switch {
		case m.broken:
			return errBroken
		case m.err != nil && !m.own:
			return m.err
		case m.err != nil && several:
			if err := b.tx.RollBackTo(); err != nil {
				return err
			}
		case m.err != nil: // there is nothing but the change to be rolled back
		default:
			b.in = append(b.in, m)
			if several {
				if err := b.tx.Release(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// let lets a member write, and waits until it has.
func (b *batch[T]) let(m *member[T]) {
	m.batch = b
	if m == b.leader {
		m.write()
	} else {
		m.next <- write
	}
	<-b.wrote
}

// write writes a member's change, in its own goroutine.
func (m *member[T]) write() {
	m.broken = true // until Write returns
	defer func() {
		if m.broken || m.err != nil {
			m.change.Undo()
		}
		m.batch.wrote <- struct{}{}
	}()
	m.own, m.err = m.change.Write(m.batch.tx)
	m.broken = false
}

// fail rolls everything back and returns the members whose changes are to be written once more:
// each by itself, so that the one with the error has it alone. A panic says nothing against the
// others, and they stay together. All of them are: also an error of a change's own may rest on
// another change that is not there any more.
func (b *batch[T]) fail() []*member[T] {
	b.undo()
	broken := func(m *member[T]) bool { return m.broken }
	alone := !slices.ContainsFunc(b.members, broken)
	b.members = slices.DeleteFunc(b.members, broken)
	for _, m := range b.members {
		m.alone, m.own, m.err = alone, false, nil
	}
	return b.members
}

// undo rolls back, and takes back what the changes gave to records: backwards, since two of them
// may share a record.
func (b *batch[T]) undo() {
	b.tx.Rollback()
	for _, m := range slices.Backward(b.in) {
		m.change.Undo()
	}
	b.in = nil
}
