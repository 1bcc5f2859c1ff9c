package renewal

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
)

// RebuiltAccount is what Rebuild found for one account.
type RebuiltAccount struct {
	Account string  `json:"account"` // its URL
	NoList  bool    `json:"no_list"` // the CA shows none
	Known   int     `json:"known"`
	Others  int     `json:"others"` // open orders that nothing on this host knows
	Found   []int64 `json:"found"`  // orders that are in the ledger again
	Seen    []int64 `json:"seen"`   // those that may be another server's, as the ledger counts them
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
	one := RebuiltAccount{Account: a.URL, Found: []int64{}, Seen: []int64{}}
	engine, err := s.Engine(ctx, a)
	if err != nil {
		return one, err
	}
	rebuilt, err := engine.Rebuild(ctx, func(l drive.Lost) drive.Claim { return s.claim(ctx, l, a) })
	one.NoList, one.Known, one.Others = rebuilt.NoList, rebuilt.Known, len(rebuilt.Seen)
	for _, o := range rebuilt.Orders {
		one.Found = append(one.Found, o.ID)
	}
	for _, o := range rebuilt.Seen {
		one.Seen = append(one.Seen, o.ID)
	}
	return one, err
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

// What a command gives to orders that others left before it turns to its own: so many of them, each with little patience.
const (
	mostRecovered   = 20
	recoverPatience = 3 * time.Second
)

// Recover goes on with orders that earlier processes left for other lineages, for a little while, as far as their
// certificates: what does not come so far at once is left to renew or resume, and to put one in place is for them and for its
// lineage's own next run. It pays what dead runs left owed: a server that was stopped must come up again. Nothing to do costs
// two queries.
func (s *Server) Recover(ctx context.Context, lineage string) error {
	if err := s.host.Hooks.PayDebts(ctx); err != nil {
		return err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return err
	}
	recovered := 0
	for _, o := range orders {
		if o.Lineage == s.host.Files.OrderName(lineage) || !s.host.Files.Mine(o) || s.private(o) || recovered == mostRecovered || ctx.Err() != nil {
			continue
		}
		recovered++
		s.recoverOne(ctx, o)
	}
	return nil
}

// private reports whether an order is only for runs about its own lineage, and for those about all: what is left of it is
// done on this host, or cannot be done without its hooks.
func (s *Server) private(o *ledger.Order) bool {
	pre, err := s.host.Hooks.All("pre", o.Request.Hooks.Pre)
	return err != nil || order.Issued(o) || o.Request.Solver == ledger.ManualSolver || len(pre) > 0
}

func (s *Server) recoverOne(ctx context.Context, o *ledger.Order) {
	engine, err := s.engineOf(ctx, o)
	if err != nil {
		return // resume says so
	}
	patience, wait := engine.Patience, engine.LongestWait
	engine.Patience, engine.LongestWait = recoverPatience, recoverPatience
	defer func() { engine.Patience, engine.LongestWait = patience, wait }()
	if free, err := s.host.Ports.Reserved(o); err != nil || !free {
		return
	}
	defer s.host.Ports.Rest()
	did, err := engine.Advance(ctx, o)
	s.Accounts().Mourn(engine.Account.Server, engine.Account.URL, err)
	if did && err != nil && failure.ClassOf(err) != failure.Stopped {
		s.Report.Tell("Order %d for %s, which an earlier run left, cannot go on: %v", o.ID, o.Lineage, err)
	}
}
