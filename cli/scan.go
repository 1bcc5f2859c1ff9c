package cli

// pending scan reads other clients' logs: what they left open at the CA, while they are still in
// charge.

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orderly/account"
	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/scan"
)

type scanning struct {
	places
	working
	now        string
	serverFrom string
	noLedger   bool
	check      bool
	addresses  []string
	keys       []string // files or directories of account keys
	server     string
}

func newScan(env Env, p *printer) *cobra.Command {
	f := &scanning{}
	c := &cobra.Command{
		Use:   "scan PATH...",
		Short: "Find in other clients' logs what they left open at the CA, and what failed",
		Long: "Read logs of certbot 0.9 to 5.6, lego, uacme and acme.sh: files, directories and tars, plain or\n" +
			"packed with gzip or zstd, of one server or of many. Three things are listed: authorizations that are\n" +
			"open (handed out, not seen final, not expired); doubtful ones, of which the log does not tell (their\n" +
			"challenge was answered last, what the log says of them is torn or contradicts itself); and lost\n" +
			"newOrders, which were sent and never answered. Then the runs that were killed: at which step, after\n" +
			"how long, and what they have in common. A certbot that is at work holds the lock in its logs\n" +
			"directory: what it has open is doubtful, and not asked about before it has ended. Then what failed, by\n" +
			"cause: whose it is to mend, since when, what to do. The ledger has all of it then, as found, and for why\n" +
			"and failures; it forbids nothing and counts against no limit. With --check the CA is asked about what is\n" +
			"open or doubtful alone, by the keys of the accounts in certbot's directory, and its word is what is\n" +
			"listed; what it holds pending is an order of this ledger then, which pending shows, pending drain\n" +
			"finishes and pending release gives up. A check that was stopped goes on where it was. certbot may be at\n" +
			"work meanwhile.\n\n" +
			"Of other clients' accounts, and of other servers', --account-key names the key: a file in PEM or JWK,\n" +
			"or the directory of certbot (/etc/letsencrypt), lego (~/.lego), uacme (/etc/ssl/uacme), acme.sh\n" +
			"(~/.acme.sh) or dehydrated. The CA is asked which account it is of, and none is made. The CA is the one\n" +
			"that the key's place names or --server does, else Let's Encrypt and those of certbot's accounts. While\n" +
			"an order made of what was found is unfinished, the key is kept in CONFIG/orderly; no other command\n" +
			"uses it.\n\n" +
			"Exit code 0: everything was read; 1: something could not be, which is said, and the rest was; 75: it\n" +
			"was stopped in time.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return failure.New(failure.Usage, "On Debian certbot's logs are in /var/log/letsencrypt.",
				"%s takes the paths of logs", c.CommandPath())
		},
		RunE: func(c *cobra.Command, args []string) error { return f.execute(c.Context(), env, p, args) },
	}
	c.Flags().StringVar(&f.now, "now", "",
		"the `time` against which expiry is judged, such as 2026-11-28T03:00:00Z (default: the clock's)")
	c.Flags().StringVar(&f.serverFrom, "server-from", "",
		"`regular expression` that finds a server's name in the path of its log: its first group, "+
			"or all that it matches")
	c.Flags().BoolVar(&f.noLedger, "no-ledger", false, "leave the ledger alone")
	c.Flags().BoolVar(&f.check, "check", false, "ask the CA about what is open or doubtful")
	c.Flags().StringArrayVar(&f.keys, "account-key", nil,
		"`file` of an account's private key, or another client's directory, to ask with; may be repeated")
	c.Flags().StringVar(&f.server, "server", "", "directory `URL` of the CA of these accounts")
	c.Flags().StringArrayVar(&f.addresses, "address", nil,
		"an `IP` address (or network) of these servers; what points elsewhere has moved away; "+
			"may be repeated")
	f.addDeadline(c.Flags())
	f.places.add(c.Flags())
	return c
}

// settings checks the flags.
func (f *scanning) settings() (scan.Settings, error) {
	set := scan.Settings{Now: time.Now(), Workers: runtime.GOMAXPROCS(0)}
	if f.now != "" {
		now, ok := dateOf(f.now)
		if !ok {
			return set, failure.New(failure.Usage, "",
				"--now %s: not a time such as 2026-11-28T03:00:00Z or 2026-11-28", failure.Clean(f.now))
		}
		set.Now = now
	}
	if f.serverFrom != "" {
		from, err := regexp.Compile(f.serverFrom)
		if err != nil {
			return set, failure.New(failure.Usage, "", "--server-from %s: not a regular expression: %s",
				failure.Clean(f.serverFrom), failure.Clean(err.Error()))
		}
		set.HostFrom = from
	}
	if f.server != "" {
		if err := acme.CheckDirectoryURL(f.server); err != nil {
			return set, err
		}
	}
	here, err := ourAddresses(f.addresses)
	set.Here = here
	switch {
	case err != nil:
		return set, err
	case f.deadline < 0:
		return set, failure.New(failure.Usage, "", "--deadline takes a positive time such as 90s")
	case f.check && f.noLedger:
		return set, failure.New(failure.Usage, "Leave one of the two out.",
			"--check writes into the ledger what the CA says, which --no-ledger forbids")
	case len(f.keys) > 0 && !f.check:
		return set, failure.New(failure.Usage, "Add --check.",
			"--account-key is for asking the CA, which --check does")
	}
	return set, nil
}

func (f *scanning) execute(ctx context.Context, env Env, p *printer, paths []string) error {
	p.quiet, p.json = f.quiet, f.json
	set, err := f.settings()
	if err != nil {
		return err
	}
	// What is kept is bounded, what is thrown away is not: without a limit as much again lies about,
	// while the logs are read and while what was found is entered and printed.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(scanMemory))
	if f.check {
		f.beside = true
		return f.run(ctx, env, p, &f.working, "pending scan --check",
			func(ctx context.Context, s *session) (int, error) { return f.checked(ctx, s, set, paths) })
	}
	ctx, cancel := withDeadline(ctx, f.deadline)
	defer cancel()
	if f.noLedger {
		report, err := f.read(ctx, p, set, paths)
		if err != nil {
			return endedBy(ctx, err)
		}
		return f.say(p, report, nil)
	}
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	return errors.Join(f.enter(ctx, s, set, paths), s.close())
}

// read scans, with a bar for a person.
func (f *scanning) read(ctx context.Context, p *printer, set scan.Settings,
	paths []string) (*scan.Report, error) {
	bar := p.bar("MB read")
	defer p.endBar()
	set.Progress = func(read, all int64) { bar(int(read>>20), int(max(all>>20, read>>20+1))) }
	return scan.Scan(ctx, paths, set)
}

// scanMemory is how much the scan takes before what it threw away is collected.
const scanMemory = 64 << 20

// enter scans, and enters what was found into the ledger.
func (f *scanning) enter(ctx context.Context, s *session, set scan.Settings, paths []string) error {
	err := s.openLedger(ctx, false)
	switch {
	case ctx.Err() != nil: // not the ledger's fault: without it there is no more time either
		return endedBy(ctx, failure.Wrap(ctx.Err(), failure.Stopped, "", "stopped in time"))
	case err != nil:
		return failure.Wrap(err, failure.ClassOf(err), remedyOr(err, "Add --no-ledger to read the logs alone."),
			"what is found cannot be entered into the ledger in %s", s.ledgerDir())
	}
	set.Own = s.ledgerDir()
	report, err := f.read(ctx, s.p, set, paths)
	if err == nil {
		err = s.enterFound(ctx, report)
	}
	if err == nil {
		err = s.enterHeard(ctx, report, set.Now)
	}
	if err != nil {
		return endedBy(ctx, err)
	}
	return f.say(s.p, report, nil)
}

// checked scans, enters what was found, and asks the CA about it.
func (f *scanning) checked(ctx context.Context, s *session, set scan.Settings, paths []string) (int, error) {
	inquiry := renewal.Inquiry{Server: f.server}
	for _, path := range f.keys {
		keys, err := account.ReadKeys(path)
		if err != nil {
			return 0, err
		}
		inquiry.Keys = append(inquiry.Keys, keys...)
	}
	if err := s.server.BeginBeside(ctx, "pending scan --check", s.env.PID); err != nil {
		return 0, err
	}
	set.Own = s.ledgerDir()
	report, err := f.read(ctx, s.p, set, paths)
	if err != nil {
		return 0, err
	}
	if err := s.enterFound(ctx, report); err != nil {
		return 0, err
	}
	if err := s.enterHeard(ctx, report, set.Now); err != nil {
		return 0, err
	}
	inquiry.Rows, inquiry.Closed = foundRows(notAtWork(report), time.Now()), report.Closed
	answers, err := s.server.Check(ctx, inquiry, s.p.bar("asked"))
	s.p.endBar()
	if err != nil {
		return 0, err
	}
	settle(report, answers)
	err = f.say(s.p, report, &answers)
	if done, ok := errors.AsType[*exitError](err); ok {
		return done.code, nil
	}
	return 0, err
}

// settle makes the CA's word of what the logs leave open the report's.
func settle(report *scan.Report, answers renewal.Checked) {
	held := make([]scan.Row, 0, len(answers.Held))
	for _, f := range answers.Held {
		held = append(held, scan.Row{URL: f.URL, Name: f.Name, Account: f.Account, Server: f.Server,
			Host: f.Host, Order: f.Order, Expires: f.Expires, File: f.File, Line: f.Line})
	}
	report.Settle(func(url string) bool { return answers.Said[url] }, held)
}

// notAtWork are all rows but what a run that is at work may close yet: as an order of this ledger,
// somebody could give it up in the middle of that run.
func notAtWork(report *scan.Report) []scan.Row {
	rows := slices.Concat(report.Open, report.Orders)
	for _, r := range report.Doubtful {
		if !r.AtWork {
			rows = append(rows, r)
		}
	}
	return rows
}

// mostAtOnce is how many rows one commit writes.
const mostAtOnce = 500

// enterFound enters what a scan found into the ledger, as found, a few rows at a time.
func (s *session) enterFound(ctx context.Context, r *scan.Report) error {
	at := time.Now()
	closed, err := s.closedSince(ctx, r, at)
	if err != nil {
		return err
	}
	change := ledger.Change{FoundOver: at.AddDate(0, 0, -1)}
	enter := func(some []ledger.Found) error {
		change.Found = some
		return s.ledger.Commit(ctx, &change)
	}
	for some := range slices.Chunk(closed, mostAtOnce) {
		if err := enter(some); err != nil {
			return err
		}
	}
	for _, rows := range [...][]scan.Row{r.Open, r.Doubtful, r.Orders} {
		for some := range slices.Chunk(rows, mostAtOnce) {
			if err := enter(foundRows(some, at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// foundRows are rows as the ledger keeps them.
func foundRows(rows []scan.Row, at time.Time) []ledger.Found {
	found := make([]ledger.Found, 0, len(rows))
	for _, row := range rows {
		file := row.File
		if absolute, err := filepath.Abs(file); err == nil {
			file = absolute // what names it later is pasted in another directory
		}
		found = append(found, ledger.Found{URL: row.URL, Order: row.Order, Name: failure.Clean(row.Name),
			Account: row.Account, Server: row.Server, Host: failure.Clean(row.Host),
			File: failure.Clean(file), Line: row.Line, Doubt: row.Reason, Expires: row.Expires,
			FoundAt: at})
	}
	return found
}

// closedSince are those that were found earlier, and that the logs show final by now.
func (s *session) closedSince(ctx context.Context, r *scan.Report, at time.Time) ([]ledger.Found, error) {
	known, err := s.ledger.Found(ctx, at)
	var closed []ledger.Found
	for _, f := range known {
		if f.Status == "" && r.Closed(f.URL) {
			f.Status, f.CheckedAt = "closed", at
			closed = append(closed, f)
		}
	}
	return closed, err
}

// say prints what was found, and what the CA said of it where it was asked.
func (f *scanning) say(p *printer, report *scan.Report, answers *renewal.Checked) error {
	if f.serverFrom != "" && report.Logs > 0 && !slices.ContainsFunc(report.Hosts, named) {
		p.Warn("--server-from %s finds no server's name in the path of any log: all count as this one's",
			failure.Clean(f.serverFrom))
	}
	p.scanned(report, f.serverFrom != "", !f.noLedger, answers)
	if report.Unread() || answers != nil && !answers.Whole() {
		return &exitError{1}
	}
	return nil
}

// named reports whether a server has a name: this one's logs have none.
func named(host string) bool { return host != "" }
