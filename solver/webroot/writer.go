// Package webroot puts the files of http-01 challenges (RFC 8555 section 8.3) into document roots
// and takes them away again. It runs as root on ground that customers own, and acts as whoever
// could redirect it: processes of their own (helpers) walk every path a component at a time from
// open descriptors, and from the first link on that another user made a helper with that user's
// rights goes on. A helper holds no lock, no ledger and no secret, and is abandoned if a file
// system keeps it. This package must never touch a document root in the run's own process, create
// or remove a document root, or give a customer what he could not have had without it.
package webroot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/failure"
)

const (
	wellKnown = ".well-known"
	challenge = ".well-known/acme-challenge"
)

// levels are the directories below a document root down to the token, outermost first.
func levels() []string { return []string{wellKnown, challenge} }

// names are the last components of levels.
func names() []string { return []string{wellKnown, "acme-challenge"} }

// Writer writes into document roots. Its zero value is ready; it may be used from many goroutines,
// and many processes may work on one document root at once. Close ends its helpers.
type Writer struct {
	// Program is what is executed for a helper, and must call Helper before anything else; "" is
	// this program.
	Program string
	// Patience is how long a file system may keep a question; 0 is DefaultPatience.
	Patience time.Duration
	// Tell, where set, is told what is waited for for more than a second.
	Tell func(format string, args ...any)
	// Groups, where set, says in which groups a user is, his own first; else the host is asked.
	Groups func(ctx context.Context, uid uint32) []int

	pool pool
}

// DefaultPatience is how long a file system is waited for. A disk that has to spin up, or a file
// server that is failing over, needs some seconds.
const DefaultPatience = 15 * time.Second

// Close ends the helpers. The writer can be used again.
func (w *Writer) Close() { w.pool.close() }

// Identity tells one document root from another: it changes when the path, or what is found there,
// is replaced.
type Identity struct {
	Path   string `json:"path"` // links resolved
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

// Inspect looks whether root exists, is a directory and can be reached by a rule, and changes
// nothing. It fails with WebrootGone, WebrootUnsafe, or WebrootLocked where root cannot even be
// entered; what stands in the way below it is left to Plan and Check.
func (w *Writer) Inspect(ctx context.Context, root string) (Identity, error) {
	abs, err := absolute(root)
	if err != nil {
		return Identity{}, err
	}
	r, err := w.question(ctx, question{Op: opPlan, Root: abs})
	if err != nil {
		return Identity{}, err
	}
	return w.inspected(abs, r)
}

// inspected is what Inspect makes of the answer to its question.
func (w *Writer) inspected(abs string, r reply) (Identity, error) {
	switch {
	case r.Obstacle != nil && (r.Site == nil || r.Obstacle.Kind.isUnsafe()):
		return Identity{}, w.explain(abs, r.Obstacle)
	case r.Site == nil:
		return Identity{}, errors.New("a helper looked at a document root and said nothing of it")
	}
	return r.Site.Identity, nil
}

// Plan looks at root and says what placing token will do there. It changes nothing, and asks the
// kernel whether it could. An error is a *failure.Error: WebrootGone, WebrootUnsafe,
// WebrootLocked or DiskFull, or CAUnavailable for a token that is none (RFC 8555 section 8.3: base64url).
func (w *Writer) Plan(ctx context.Context, root, token string) (Placement, error) {
	if err := checkToken(token); err != nil {
		return Placement{}, err
	}
	abs, err := absolute(root)
	if err != nil {
		return Placement{}, err
	}
	r, err := w.ask(ctx, question{Op: opPlan, Root: abs, Token: token})
	if err != nil {
		return Placement{}, err
	}
	return Placement{Root: abs, Token: token, Spots: []Spot{*r.Spot}}, nil
}

// ErrMoved says that the document root leads elsewhere than when the placement was recorded.
// Nothing was placed: the placement that came with it is to be recorded, and then to be placed.
var ErrMoved = errors.New("the document root leads elsewhere by now")

const (
	maxAttempts = 32 // on ground where others make and remove the same directories
	maxSpots    = 16 // of one token, whose document root is moved again and again
)

// Place writes content into the token's file, mode 0644, and makes the directories that are
// missing, mode 0755. It may be repeated, and follows a document root that leads elsewhere by now
// (ErrMoved). A file that already has the content is left in place (a CA may be fetching it). The
// placement that it returns knows what was made. The errors are those of Plan.
func (w *Writer) Place(ctx context.Context, p Placement, content string) (Placement, error) {
	if err := p.check(); err != nil {
		return p, err
	}
	q := question{Op: opPlace, Root: p.Root, Token: p.Token, Content: content}
	if n := len(p.Spots); n > 0 {
		q.Spot = &p.Spots[n-1]
	}
	for range maxAttempts {
		r, err := w.ask(ctx, q)
		switch {
		case err != nil:
			return p, err
		case r.Again:
			continue
		case !r.Moved:
			p.Spots = append(slices.Clone(p.Spots[:len(p.Spots)-1]), *r.Spot)
			return p, nil
		case len(p.Spots) >= maxSpots:
			return p, failure.New(failure.WebrootLocked, "Run the command again once the links on the way to it stay as they are.",
				"document root %s leads elsewhere again and again", failure.Clean(p.Root))
		}
		p.Spots = append(slices.Clone(p.Spots), *r.Spot)
		return p, ErrMoved
	}
	return p, failure.New(failure.WebrootLocked, "Look for a program that removes "+challenge+" there, and stop it.",
		"document root %s cannot be written: %s disappears as fast as it is made",
		failure.Clean(p.Root), challenge)
}

// Remove unlinks the token's file and then the directories made for it that are empty, innermost
// first, wherever the document root leads by now. What is not there, and what is not a plain file,
// is left alone without an error. It fails with WebrootLocked where the system refuses.
func (w *Writer) Remove(ctx context.Context, p Placement) error {
	if err := p.check(); err != nil {
		return err
	}
	var errs []error
	for _, spot := range slices.Backward(p.Spots) {
		_, err := w.ask(ctx, question{Op: opRemove, Root: p.Root, Token: p.Token, Spot: &spot})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Stands reports whether a file of the token's name stands in root. The errors are those of Plan.
func (w *Writer) Stands(ctx context.Context, root, token string) (bool, error) {
	if err := checkToken(token); err != nil {
		return false, err
	}
	abs, err := absolute(root)
	if err != nil {
		return false, err
	}
	r, err := w.ask(ctx, question{Op: opStands, Root: abs, Token: token})
	return r.Stands, err
}

// ask is question with the obstacle as a sentence.
func (w *Writer) ask(ctx context.Context, q question) (reply, error) {
	r, err := w.question(ctx, q)
	if err == nil && r.Obstacle != nil {
		err = w.explain(q.Root, r.Obstacle)
	}
	return r, err
}

// isBase64URL reports whether a text has nothing but base64url's characters, and no padding.
func isBase64URL(text string) bool {
	return strings.Trim(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// longestToken keeps a token within the name of a file.
const longestToken = 200

func checkToken(token string) error {
	if token != "" && len(token) <= longestToken && isBase64URL(token) {
		return nil
	}
	return failure.New(failure.CAUnavailable,
		"Tell the CA: a token may hold letters, digits, - and _ only (RFC 8555 section 8.3).",
		"the CA sent a token that cannot be a file's name: %q", failure.Clean(token))
}

func absolute(root string) (string, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return root, fmt.Errorf("document root %s: %w", root, err)
	}
	return abs, nil
}
