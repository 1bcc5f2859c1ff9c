package renewal

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/ledger"
)

// RebuiltAccount is what Rebuild found for one account.
type RebuiltAccount struct {
	Account string  `json:"account"` // its URL
	NoList  bool    `json:"no_list"` // the CA shows none
	Known   int     `json:"known"`
	Found   []int64 `json:"found"` // orders that are in the ledger again
}

// Rebuild asks the CA of every account on this host for open orders that the ledger does not know.
func (s *Server) Rebuild(ctx context.Context) ([]RebuiltAccount, error) {
	servers, err := s.servers()
	if err != nil {
		return nil, err
	}
	found := []RebuiltAccount{}
	for _, server := range servers {
		accounts, err := s.Disk.Accounts(server)
		if err != nil {
			return found, err
		}
		for _, a := range accounts {
			one, err := s.rebuild(ctx, &a)
			if err != nil {
				return found, err
			}
			found = append(found, one)
		}
	}
	return found, nil
}

func (s *Server) rebuild(ctx context.Context, a *certbot.Account) (RebuiltAccount, error) {
	one := RebuiltAccount{Account: a.URL, Found: []int64{}}
	engine, err := s.Engine(ctx, a)
	if err != nil {
		return one, err
	}
	rebuilt, err := engine.Rebuild(ctx, func(names []string) (ledger.Request, bool) { return s.remember(names, a) })
	one.NoList, one.Known = rebuilt.NoList, rebuilt.Known
	for _, o := range rebuilt.Orders {
		one.Found = append(one.Found, o.ID)
	}
	return one, err
}

// remember makes the request of an order that only the CA remembers: that of the lineage with the same names, or one that
// says nothing but the names.
func (s *Server) remember(names []string, a *certbot.Account) (ledger.Request, bool) {
	bare := ledger.Request{Lineage: certbot.NameFor(names), Names: names, Server: a.Server, Account: a.ID, KeyType: "ecdsa",
		Webroots: map[string]string{}, New: true}
	l := s.Disk.FindByNames(names)
	if l == nil {
		return bare, false
	}
	r, err := renewalRequest(l, Round{})
	if err != nil {
		return bare, false
	}
	r.Account = a.ID
	return r, true
}

// servers lists the directory URLs of the CAs that this host has accounts at, by certbot's layout: host and path.
func (s *Server) servers() ([]string, error) {
	root := filepath.Join(s.Disk.Dirs.Config, "accounts")
	var servers []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || d.Name() != "regr.json" {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		url := "https://" + filepath.ToSlash(rel)
		if err == nil && !strings.Contains(strings.Join(servers, "\n")+"\n", url+"\n") {
			servers = append(servers, url)
		}
		return err
	})
	return servers, err
}

// recoverBudget bounds what a command spends on orders that others left before it turns to its own.
const recoverBudget = 5 * time.Second

// Recover goes on with orders that earlier processes left for other lineages, for a little while: what it does not get done
// is done by renew or resume. It pays what dead runs left owed. Nothing to do costs two queries.
func (s *Server) Recover(ctx context.Context, lineage string) error {
	if err := s.PayDebts(ctx); err != nil {
		return err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil || len(orders) == 0 {
		return err
	}
	short, cancel := context.WithTimeout(ctx, recoverBudget)
	defer cancel()
	for _, o := range orders {
		if o.Lineage == lineage || short.Err() != nil {
			continue
		}
		if r, did := s.resume(short, o); did && r.Err != nil {
			s.Log.Info("an earlier order could not be finished", "order", o.ID, "lineage", o.Lineage, "why", r.Err)
		}
	}
	return nil
}
