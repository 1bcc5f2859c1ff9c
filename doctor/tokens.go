package doctor

// Tokens that killed runs left in document roots: known by what is in them, which only an account of
// this host could have had put there.

import (
	"cmp"
	"context"
	"crypto"
	"encoding/base64"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/solver/webroot"
)

// staleToken is the age at which a token is of no use to any authorization that is alive: CAs keep
// them for seven days.
const staleToken = 7 * 24 * time.Hour

// ownTokens tells this host's tokens from others, and those that are still needed.
type ownTokens struct {
	thumbprints map[string]bool // of the accounts of this host
	needed      map[string]bool // of orders that are not over
}

// tokens is what is known of this host's tokens.
func (e *Exam) tokens(ctx context.Context) (ownTokens, error) {
	own := ownTokens{map[string]bool{}, map[string]bool{}}
	for _, server := range e.servers() {
		accounts, _ := e.Disk.Accounts().At(server) // what is damaged has no thumbprint
		for _, a := range accounts {
			key := jose.JSONWebKey{Key: a.Key.Public()}
			if sum, err := key.Thumbprint(crypto.SHA256); err == nil {
				own.thumbprints[base64.RawURLEncoding.EncodeToString(sum)] = true
			}
		}
	}
	if e.Ledger == nil {
		return own, nil
	}
	for _, which := range []ledger.OrderFilter{{Live: true}, {Unsettled: true}, {Stands: true}} {
		orders, err := e.Ledger.Orders(ctx, which)
		if err != nil {
			return own, err
		}
		for _, o := range orders {
			for _, a := range o.Authorizations {
				own.needed[a.Token] = true
			}
		}
	}
	return own, nil
}

// servers are the CAs that lineages are renewed at.
func (e *Exam) servers() []string {
	var all []string
	for _, x := range slices.Concat(e.Lineages, e.Others) {
		if x.Server != "" {
			all = append(all, x.Server)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stale are the tokens that nothing needs any more.
func (o ownTokens) stale(is looking, now time.Time) []webroot.Left {
	return slices.DeleteFunc(slices.Clone(is.Left), func(l webroot.Left) bool {
		return !o.thumbprints[l.Thumbprint] || o.needed[l.Token] || now.Sub(l.Changed) < staleToken
	})
}

// leftTokens tells of the tokens in one document root.
func leftTokens(x *Lineage, is looking, left []webroot.Left) Finding {
	f := x.notesThat("D22", "Remove them.", "%d tokens of killed runs stand in %s", len(left), is.Dir)
	if len(left) == 1 {
		f.Sentence = failure.Words("a token of a killed run stands in %s", is.Dir)
	}
	f.Class, f.File, f.Since, f.Cause = failure.Killed, is.Dir, left[0].Changed, "tokens"
	var paths []string
	for _, l := range left[:min(len(left), shownLineages)] {
		paths = append(paths, filepath.Join(is.Dir, l.Token))
	}
	f.Remedy = "Remove them: `" + failure.Shell(append([]string{"rm", "--"}, paths...)...) + "`."
	for name, root := range x.Roots {
		if root == is.root {
			f.Names = append(f.Names, name)
		}
	}
	return f
}

// tokensGone removes stale tokens, each as the run that put it there would have.
func tokensGone(ctx context.Context, e *Exam, f Finding) (plan, error) {
	if f.Cause != "tokens" {
		return plan{}, nil
	}
	mine, err := e.tokens(ctx)
	if err != nil {
		return plan{}, err
	}
	var edits []certbot.Edit
	var placed []webroot.Placement
	for _, root := range e.rootsOf(f) {
		is := e.memo.grounds.ground(ctx, root)
		if is.Dir != f.File {
			continue
		}
		for _, l := range mine.stale(is, e.At) {
			// what is in it is nothing to be kept, and is not read here: it is customers' ground
			edits = append(edits, certbot.Edit{Kind: certbot.Removed,
				Path: filepath.Join(is.Dir, l.Token)})
			placed = append(placed, is.Of(root, l))
		}
		break
	}
	return plan{FixYes, edits, func(ctx context.Context) error {
		var first error
		for _, p := range placed {
			first = cmp.Or(first, e.memo.grounds.writer.Remove(ctx, p))
		}
		return first
	}}, nil
}

// rootsOf are the document roots of the lineage that a finding is about.
func (e *Exam) rootsOf(f Finding) []string {
	var roots []string
	for _, x := range e.Lineages {
		if x.Name != f.Lineage {
			continue
		}
		for _, root := range x.Roots {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}
