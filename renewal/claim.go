package renewal

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/order"
)

// lookingPatience bounds the search for tokens of a lost ledger: a document root may lie on a file system that hangs.
const lookingPatience = 5 * time.Second

// claim says what this host knows of an order that only the CA remembers: a lineage with the same names, a key and a CSR
// beside the lost ledger, or a token in a document root that is used here. One without a lineage was to make a new one.
func (s *Server) claim(ctx context.Context, l order.Lost, a *certbot.Account) order.Claim {
	c := order.Claim{Keep: s.keyFor(ctx, l.Names)}
	if same := s.Disk.FindByNames(l.Names); same != nil {
		if r, err := renewalRequest(same, Round{}); err == nil {
			c.Mine, c.Request = true, r
		}
	}
	root := ""
	if !c.Mine {
		root = s.rootWith(l.Tokens)
	}
	if !c.Mine && (root != "" || c.Keep != nil && !l.Open) { // a key is made once nothing is left to prove
		lineage, err := s.Disk.UniqueName(certbot.NameFor(l.Names))
		if err != nil {
			return order.Claim{}
		}
		c.Mine, c.Request = true, newRequest(lineage, l.Names, a.Server, root)
	}
	if !c.Mine {
		c.Keep = nil
	}
	c.Request.Account = a.ID
	return c
}

// newRequest is the request of a new lineage, as far as it can be told from a document root.
func newRequest(lineage string, names []string, server, root string) ledger.Request {
	r := ledger.Request{Lineage: lineage, Names: names, Server: server, KeyType: "ecdsa", Webroots: map[string]string{}, New: true}
	if root != "" {
		r.WebrootPaths = []string{root}
		for _, name := range names {
			r.Webroots[name] = root
		}
	}
	return r
}

// keyFor returns what makes the newest key and CSR for exactly these names those of an order, or nil.
func (s *Server) keyFor(ctx context.Context, names []string) func(*ledger.Order) (key, csr ledger.FileRef, err error) {
	keys := &order.Keys{Dir: s.KeyDir}
	stem := keys.Orphan(names, func(id int64) bool {
		o, err := s.Ledger.Order(ctx, id)
		return err == nil && o.CSR.Set()
	})
	if stem == "" {
		return nil
	}
	return func(o *ledger.Order) (key, csr ledger.FileRef, err error) { return keys.Keep(stem, o.ID) }
}

// rootWith is a document root of this host's lineages in which one of the tokens stands, "" if none does. It looks whether
// files are there, and reads none.
func (s *Server) rootWith(tokens []string) string {
	tokens = slices.DeleteFunc(slices.Clone(tokens), func(t string) bool { return t == "" || strings.ContainsAny(t, "/. ") })
	if len(tokens) == 0 {
		return ""
	}
	roots, found := s.roots(), make(chan string, 1)
	go func() { // and left behind where a file system hangs
		for _, root := range roots {
			for _, token := range tokens {
				if _, err := os.Lstat(filepath.Join(root, ".well-known", "acme-challenge", token)); err == nil {
					found <- root
					return
				}
			}
		}
		found <- ""
	}()
	patience := time.NewTimer(lookingPatience)
	defer patience.Stop()
	select {
	case root := <-found:
		return root
	case <-patience.C:
		s.Report.Warn("a document root does not answer; tokens of the lost ledger were not looked for in all of them")
		return ""
	}
}

// roots are the document roots that the renewal files of this host name, each once.
func (s *Server) roots() []string {
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
