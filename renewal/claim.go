package renewal

import (
	"context"
	"slices"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order/drive"
)

// Which of the orders that only a CA remembers are this host's: what on its disk speaks for them.

// claim says what this host knows of an order that only the CA remembers: a lineage with the same
// names, a key and a CSR beside the lost ledger, or a token in a document root that is used here.
// One without a lineage was to make a new one.
func (s *rebuilds) claim(ctx context.Context, l drive.Lost, a *certbot.Account) drive.Claim {
	c := drive.Claim{Keep: s.keyFor(ctx, l.Names)}
	if same := s.lineageFor(l.Names); same != nil {
		if r, err := host.FromFile(same, host.Said{}); err == nil {
			c.Mine, c.Request = true, r.Filed()
		}
	}
	root := ""
	if !c.Mine {
		root = s.rootWith(ctx, l.Tokens)
	}
	// a key is made once nothing is left to prove
	if !c.Mine && (root != "" || c.Keep != nil && !l.Open) {
		lineage, err := s.Disk.UniqueName(certbot.NameFor(l.Names))
		if err != nil {
			return drive.Claim{}
		}
		c.Mine, c.Request = true, newRequest(lineage, l.Names, a.Server, root).Filed()
	}
	if !c.Mine {
		c.Keep = nil
	}
	c.Request.Account = a.ID
	return c
}

// newRequest is the request of a new lineage, as far as it can be told from a document root.
func newRequest(lineage string, names []string, server, root string) host.Request {
	r := host.Request{
		Request: ledger.Request{Lineage: lineage, Names: names, Server: server,
			KeyType: "ecdsa", New: true},
		Payload: host.Payload{Webroots: map[string]string{}},
	}
	if root != "" {
		r.WebrootPaths = []string{root}
		for _, name := range names {
			r.Webroots[name] = root
		}
	}
	return r
}

// keyFor returns what makes the newest key and CSR for exactly these names those of an order, or
// nil.
func (s *rebuilds) keyFor(ctx context.Context, names []string) func(*ledger.Order) (key,
	csr ledger.FileRef, err error) {
	stem := s.host.Kept.Orphan(names, func(id int64) bool {
		o, err := s.Ledger.Order(ctx, id)
		return err == nil && o.CSR.Set()
	})
	if stem == "" {
		return nil
	}
	return func(o *ledger.Order) (key, csr ledger.FileRef,
		err error) {
		return s.host.Kept.Keep(stem, o.ID)
	}
}

// rootWith is a document root of this host's lineages in which one of the tokens stands, "" if none
// does. Helpers look: a file system that hangs would keep this process, and with it the locks that
// it holds.
func (s *rebuilds) rootWith(ctx context.Context, tokens []string) string {
	for _, root := range s.roots() {
		for _, token := range tokens { // what is no token is found nowhere
			stands, err := s.Writer.Stands(ctx, root, token)
			if stands {
				return root
			}
			if failure.ClassOf(err) == failure.WebrootLocked {
				s.host.Voice.WarnOnce("tokens of the lost ledger were not looked for: %v", err)
				break
			}
		}
		if ctx.Err() != nil {
			return ""
		}
	}
	return ""
}

// roots are the document roots that the renewal files of this host name, each once.
func (s *rebuilds) roots() []string {
	names, err := s.Disk.Names()
	if err != nil {
		return nil
	}
	all := make([][]string, len(names))
	s.Disk.LookEach(names, func(i int, l *certbot.Lineage, err error) {
		if err != nil {
			return
		}
		for _, name := range l.Certificate.Names {
			if root, err := l.Renewal.Webroot(name); err == nil {
				all[i] = append(all[i], root)
			}
		}
	})
	roots := slices.Concat(all...)
	slices.Sort(roots)
	return slices.Compact(roots)
}
