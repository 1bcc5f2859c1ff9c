package sqlstore

import (
	"context"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/committer"
)

// Changes that are committed at the same time share a transaction; what each of them waits for, and
// how long, is its own.

// Wait bounds how long commits wait for another writer, beside their own contexts.
type Wait struct {
	// Ending is what ends the process: a signal or a deadline. Commits that must not be lost are
	// given a context that does not end with it; from then on they wait for Grace, all together,
	// and no longer.
	Ending context.Context
	Grace  time.Duration
	// Tell is called when a commit has waited for a second; nil for nobody.
	Tell func()
}

// quiet is how long a commit waits before anybody is told, brief how long one that comes after the
// last wait still tries.
const (
	quiet = time.Second
	brief = 50 * time.Millisecond
)

// Await sets the bounds. It is called once, before the first commit.
func (s *Store) Await(w Wait) {
	last, end := context.WithCancel(context.Background())
	context.AfterFunc(w.Ending, func() { time.AfterFunc(w.Grace, end) })
	s.wait, s.last = w, last
}

// Commits returns how many changes this store has made durable since it was opened.
func (s *Store) Commits() int64 { return s.commits.Load() }

// Transactions returns in how many transactions it did that.
func (s *Store) Transactions() int64 { return s.transactions.Load() }

// Syncs returns how many of them cost a sync.
func (s *Store) Syncs() int64 { return s.syncs.Load() }

// Commit implements ledger.Store.
func (s *Store) Commit(ctx context.Context, c *ledger.Change) error {
	switch {
	case c.Empty():
		return nil
	case ctx.Err() != nil:
		return s.failed("opening a transaction", ctx.Err())
	}
	waiting, over := s.waiting(ctx)
	defer over()
	w := &writer{ctx: context.WithoutCancel(ctx), dialect: s.dialect}
	if err := s.committer.Commit(waiting, &writing{w, c}); err != nil {
		doing := "writing the ledger"
		if w.tx == nil {
			doing = "opening a transaction"
		}
		return s.failed(doing, err)
	}
	s.commits.Add(1)
	return nil
}

// writing is one change on its way into a transaction.
type writing struct {
	*writer
	c *ledger.Change
}

// Write implements committer.Change.
func (w *writing) Write(tx *transaction) (own bool, err error) {
	w.tx, w.own, w.err = tx.session, false, nil
	w.change(w.c)
	return w.own, w.err
}

// Undo implements committer.Change.
func (w *writing) Undo() { w.undo() }

// Synced implements committer.Change.
func (w *writing) Synced() bool { return !w.c.Unsynced }

// waiting is the context of a commit's wait for other writers: it ends with ctx, or with the last
// wait of all, which gives one that comes after it a moment still.
func (s *Store) waiting(ctx context.Context) (waiting context.Context, over func()) {
	waiting, end := context.WithCancelCause(context.WithoutCancel(ctx))
	own := context.AfterFunc(ctx, func() { end(ctx.Err()) })
	late := context.AfterFunc(s.last, func() { time.AfterFunc(brief, func() { end(errLast()) }) })
	return waiting, func() { own(); late(); end(nil) }
}

func errLast() error {
	return failure.Wrap(context.Canceled, failure.Stopped,
		"Run the same command again: it goes on where it stopped.",
		"another program held the ledger when the run was to end, so that its last step was not written")
}

// transaction implements committer.Tx.
type transaction struct {
	*session
	s      *Store
	synced bool
	done   func()
}

// inTheWay is the error of a database that waited for another writer in vain, word for word.
type inTheWay struct{ error }

// Unwrap lets errors.Is and errors.As see both.
func (i inTheWay) Unwrap() []error { return []error{i.error, committer.ErrBusy} }

// begin opens a transaction, whose COMMIT syncs where that is asked for. It waits for other writers as
// long as ctx lasts; after that the transaction is cut loose from ctx, since one cancelled around its
// COMMIT could be durable and yet be reported as failed.
func (s *Store) begin(ctx context.Context, synced bool) (*transaction, error) {
	own, done := context.WithCancel(context.WithoutCancel(ctx))
	attached, told := context.AfterFunc(ctx, done), s.tell()
	tx, err := s.open(own, synced)
	told()
	cut := attached()
	if err == nil && cut {
		return &transaction{tx, s, synced, done}, nil
	}
	if err == nil {
		_ = tx.Rollback() // nothing was written yet
	}
	done()
	switch {
	case !cut:
		err = context.Cause(ctx)
	case s.dialect.Busy(err):
		err = inTheWay{err}
	}
	return nil, err
}

// open begins a transaction once the database is told whether to sync. Where another connection
// has taken the place of the one that was told, it syncs.
func (s *Store) open(ctx context.Context, synced bool) (*session, error) {
	if s.lost != nil {
		return nil, s.lost
	}
	if synced == s.unsynced {
		s.unsynced = true // as far as is known where the answer does not arrive
		if err := s.dialect.Sync(ctx, s.writer.db, synced); err != nil {
			return nil, err
		}
		s.unsynced = !synced
	}
	return s.writer.begin(ctx, nil)
}

// tell tells of a wait that takes its time, unless it is over before.
func (s *Store) tell() (over func()) {
	if s.wait.Tell == nil {
		return func() {}
	}
	told := make(chan struct{})
	timer := time.AfterFunc(quiet, func() {
		defer close(told)
		s.wait.Tell()
	})
	return func() {
		if !timer.Stop() {
			<-told // whoever it tells is not told from two goroutines at once
		}
	}
}

// The statements of savepoints are the same everywhere. They run under no context: what is cut
// short here would leave it open whether a change is in the transaction.

// Savepoint implements committer.Tx.
func (t *transaction) Savepoint() error { return t.exec(`SAVEPOINT change`) }

// Release implements committer.Tx.
func (t *transaction) Release() error { return t.exec(`RELEASE SAVEPOINT change`) }

// RollBackTo implements committer.Tx.
func (t *transaction) RollBackTo() error {
	if err := t.exec(`ROLLBACK TO SAVEPOINT change`); err != nil {
		return err
	}
	return t.Release()
}

func (t *transaction) exec(statement string) error {
	if _, err := t.ExecContext(context.Background(), statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// Commit implements committer.Tx. After a sync that failed nothing is written any more: the kernel
// takes what it could not write for written, so that the next sync would succeed though unsynced
// changes before it are not on the disk, and a power cut would take both. Whoever closes the ledger
// last writes them once more, as he checkpoints it.
func (t *transaction) Commit() error {
	defer t.done()
	err := t.Tx.Commit()
	switch {
	case err == nil:
		t.s.committed(t.synced)
	case t.s.dialect.SyncFailed(err):
		t.s.lost = err
	}
	return err
}

// committed counts a transaction.
func (s *Store) committed(synced bool) {
	s.transactions.Add(1)
	if synced {
		s.syncs.Add(1)
	}
}

// Rollback implements committer.Tx.
func (t *transaction) Rollback() {
	_ = t.Tx.Rollback() // after a failed Commit, or where SQLite did it, this only says so
	t.done()
}
