package renewal

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orderly/certbot"
	"orderly/order/drive"
)

// Where the ledger was lost, the CA of every account is asked for open orders.

// RebuiltAccount is what Rebuild found for one account.
type RebuiltAccount struct {
	Account string  `json:"account"` // its URL
	NoList  bool    `json:"no_list"` // the CA shows none
	Known   int     `json:"known"`
	Others  int     `json:"others"` // open orders that nothing on this host knows
	Found   []int64 `json:"found"`  // orders that are in the ledger again
	Seen    []int64 `json:"seen"`   // those that may be another server's, as the ledger counts them
}

// rebuilds looks for what a lost ledger knew.
type rebuilds struct {
	*base
	*engines
}

// Rebuild asks the CA of every account on this host for open orders that the ledger does not know.
func (s *rebuilds) Rebuild(ctx context.Context) ([]RebuiltAccount, error) {
	servers, err := s.servers()
	if err != nil {
		return nil, err
	}
	found := []RebuiltAccount{}
	for _, server := range servers {
		accounts, err := s.Disk.Accounts().At(server)
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
	// Their own orders are their clients': of what was found the logs tell once more.
	given, _ := s.Disk.GivenAccounts().All() // what cannot be read is said where it is wanted
	for _, a := range given {
		s.Report.Tell("What another client left at the account %s, whose key was given to a scan, is found by "+
			"scanning its logs again.", a.URL)
	}
	return found, nil
}

func (s *rebuilds) rebuild(ctx context.Context, a *certbot.Account) (RebuiltAccount, error) {
	one := RebuiltAccount{Account: a.URL, Found: []int64{}, Seen: []int64{}}
	engine, err := s.Engine(ctx, a)
	if err != nil {
		return one, err
	}
	rebuilt, err := engine.Rebuild(ctx,
		func(l drive.Lost) drive.Claim { return s.claim(ctx, l, a) })
	one.NoList, one.Known, one.Others = rebuilt.NoList, rebuilt.Known, len(rebuilt.Seen)
	for _, o := range rebuilt.Orders {
		one.Found = append(one.Found, o.ID)
	}
	for _, o := range rebuilt.Seen {
		one.Seen = append(one.Seen, o.ID)
	}
	return one, err
}

// servers lists the directory URLs of the CAs that this host has accounts at, by certbot's layout:
// host and path.
func (s *rebuilds) servers() ([]string, error) {
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
