package sqlstore

import (
	"context"
	"database/sql"
	"sync"
)

// Statements are compiled once and kept. A round of many runs the same three dozen thousands of
// times, and compiling one costs SQLite more than running it.

// mostPrepared bounds how many are kept: the text of some depends on how many names there are.
const mostPrepared = 200

// prepared are the statements of one database that were asked for more than once. A process that
// runs each of them once, as most do, compiles none for later.
type prepared struct {
	db *sql.DB

	mu     sync.Mutex
	asked  map[string]*sql.Stmt // by text; nil for one that was asked for once
	wanted []string             // twice
}

func newPrepared(db *sql.DB) *prepared {
	return &prepared{db: db, asked: map[string]*sql.Stmt{}}
}

// of returns the statement with this text, nil where it is to be run as it is.
func (p *prepared) of(text string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, known := p.asked[text]
	switch {
	case s != nil:
		return s
	case known && len(p.wanted) < mostPrepared:
		p.wanted = append(p.wanted, text)
	case len(p.asked) < mostPrepared:
		p.asked[text] = nil
	}
	return nil
}

// ready compiles what was asked for twice. It needs a connection, and so must not be called by
// whoever holds one. What cannot be compiled fails where it is run, with its own error.
func (p *prepared) ready(ctx context.Context) {
	p.mu.Lock()
	wanted := p.wanted
	p.wanted = nil
	p.mu.Unlock()
	for _, text := range wanted {
		p.mu.Lock()
		done := p.asked[text] != nil
		p.mu.Unlock()
		if done {
			continue
		}
		s, err := p.db.PrepareContext(ctx, text)
		if err != nil {
			return
		}
		p.keep(text, s)
	}
}

// keep keeps a statement. Where another goroutine was first, two are kept, and both serve.
func (p *prepared) keep(text string, s *sql.Stmt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[text] = s
}

// session is a transaction that runs what is prepared.
type session struct {
	*sql.Tx
	*prepared
}

// begin opens a transaction.
func (p *prepared) begin(ctx context.Context, o *sql.TxOptions) (*session, error) {
	p.ready(ctx)
	tx, err := p.db.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &session{tx, p}, nil
}

// ExecContext runs a statement.
func (s *session) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if kept := s.of(text); kept != nil {
		return s.StmtContext(ctx, kept).ExecContext(ctx, args...)
	}
	return s.Tx.ExecContext(ctx, text, args...)
}

// QueryContext runs a query.
func (s *session) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if kept := s.of(text); kept != nil {
		return s.StmtContext(ctx, kept).QueryContext(ctx, args...)
	}
	return s.Tx.QueryContext(ctx, text, args...)
}

// QueryRowContext runs a query of which one row is wanted.
func (s *session) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if kept := s.of(text); kept != nil {
		return s.StmtContext(ctx, kept).QueryRowContext(ctx, args...)
	}
	return s.Tx.QueryRowContext(ctx, text, args...)
}

// QueryContext runs a query outside of any transaction.
func (p *prepared) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	p.ready(ctx)
	if kept := p.of(text); kept != nil {
		return kept.QueryContext(ctx, args...)
	}
	return p.db.QueryContext(ctx, text, args...)
}
