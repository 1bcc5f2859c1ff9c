package metrics

// What the ledger knows: what fails, what ran, what is open at the CA and what is left of its limits.

import (
	"context"
	"errors"
	"strings"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
)

// failing counts certificates whose last attempt failed, by the class of it.
func failing(ctx context.Context, f Facts) ([]Family, error) {
	standings, err := f.Ledger.Standings(ctx)
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, l := range f.Report.Held {
		here[l.Name] = true
	}
	classes := Family{Name: "orderly_certificates_failing",
		Help: "Certificates whose last attempt to renew failed, by class of the failure."}
	for _, s := range standings {
		if s.Class != "" && here[s.Lineage] {
			class := failure.Class(s.Class)
			if !class.Known() {
				class = failure.Unclassified
			}
			classes.add(1, "class", string(class))
		}
	}
	return []Family{classes}, nil
}

// mostRuns is how many runs are looked at for the last of each command.
const mostRuns = 500

// runs tells of the last run of each command, and how it ended.
func runs(ctx context.Context, f Facts) ([]Family, error) {
	all, err := f.Ledger.Runs(ctx, mostRuns)
	if err != nil {
		return nil, err
	}
	start := Family{Name: "orderly_run_start_timestamp_seconds",
		Help: "When the last run of a command began."}
	end := Family{Name: "orderly_run_end_timestamp_seconds",
		Help: "When the last run of a command that came to an end ended."}
	took := Family{Name: "orderly_run_duration_seconds", Help: "How long that took."}
	exit := Family{Name: "orderly_run_exit_code", Help: "Its exit code."}
	active := Family{Name: "orderly_runs_active", Help: "Runs that are at work."}
	killed := Family{Name: "orderly_run_killed",
		Help: "Whether the last run of a command was killed before it came to an end."}
	active.add(0)
	begun, over := map[string]bool{}, map[string]bool{}
	for _, r := range all { // the newest first
		command, _, _ := strings.Cut(r.Command, " ")
		ended := !r.EndedAt.IsZero()
		alive := false
		if !ended {
			if alive, err = f.Alive(r); err != nil {
				return nil, err
			}
		}
		if alive {
			active.add(1)
		}
		if !begun[command] {
			begun[command] = true
			start.add(seconds(r.StartedAt), "command", command)
			killed.add(truth(!ended && !alive), "command", command)
		}
		if ended && !over[command] {
			over[command] = true
			end.add(seconds(r.EndedAt), "command", command)
			took.add(r.EndedAt.Sub(r.StartedAt).Seconds(), "command", command)
			exit.add(float64(r.ExitCode), "command", command)
		}
	}
	if !over[round] { // lest nobody is told that nothing was ever renewed
		end.add(0, "command", round)
	}
	return []Family{start, end, took, exit, killed, active}, nil
}

// round is the command that goes over all certificates.
const round = "renew"

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// accounts are an account's labels, by its id.
type accounts struct {
	Facts
	known map[int64]account
}

type account struct {
	url, ca string
	profile limit.Profile
}

func (f Facts) accounts() accounts { return accounts{f, map[int64]account{}} }

func (a accounts) get(ctx context.Context, id int64) (account, error) {
	if known, ok := a.known[id]; ok {
		return known, nil
	}
	row, err := a.Ledger.AccountByID(ctx, id)
	if errors.Is(err, ledger.ErrNone) {
		return account{url: "unknown", ca: "unknown"}, nil
	}
	if err != nil {
		return account{}, err
	}
	profile := a.Profiles.For(row.Server, false)
	one := account{row.URL, profile.NameAt(row.Server), profile}
	a.known[id] = one
	return one, nil
}

// authorizations counts what is open at each CA, and how much an account may have open there.
func authorizations(ctx context.Context, f Facts) ([]Family, error) {
	open := Family{Name: "orderly_authorizations_open",
		Help: "Authorizations that are open at the CA, or may be, by account."}
	most := Family{Name: "orderly_authorizations_open_limit",
		Help: "How many authorizations of an account may be open at once, where its CA counts them."}
	pending, err := f.Ledger.Pending(ctx, f.At)
	if err != nil {
		return nil, err
	}
	orders, accounts := map[int64]int64{}, f.accounts()
	for _, one := range pending {
		id, known := orders[one.OrderID]
		if !known && one.OrderID != 0 {
			order, err := f.Ledger.Order(ctx, one.OrderID)
			if err != nil {
				return nil, err
			}
			id = order.AccountID
			orders[one.OrderID] = id
		}
		of, err := accounts.get(ctx, id)
		if err != nil {
			return nil, err
		}
		open.add(1, "account", of.url, "ca", of.ca)
	}
	for _, of := range accounts.known {
		if of.profile.CountsPending > 0 {
			most.least(float64(of.profile.CountsPending), "account", of.url, "ca", of.ca)
		}
	}
	open.sort()
	most.sort()
	return []Family{open, most}, nil
}

// budgets tells what is left of the CAs' limits. Limits that count for each name or set of names
// have thousands of buckets: of these the one with the least left is told.
func budgets(ctx context.Context, f Facts) ([]Family, error) {
	left := Family{Name: "orderly_ratelimit_left",
		Help: "What is left of a CA's rate limit; where it counts by name, of the name that has the least."}
	size := Family{Name: "orderly_ratelimit_size", Help: "What there is of it where nothing is spent."}
	buckets, err := f.Ledger.Buckets(ctx, 0)
	if err != nil {
		return nil, err
	}
	accounts := f.accounts()
	for _, b := range buckets {
		of, err := accounts.get(ctx, b.AccountID)
		if err != nil {
			return nil, err
		}
		l := of.profile.Limits[b.Name]
		if l.Count <= 0 {
			continue
		}
		per := "account"
		if b.Key != "" {
			per = "name"
		}
		tat, _ := l.Clamp(b.TAT, f.At)
		with := []string{"account", of.url, "ca", of.ca, "limit", b.Name, "per", per}
		left.least(float64(l.Check(tat, f.At, 1).Remaining), with...)
		size.least(float64(l.Count), with...)
	}
	return []Family{left, size}, nil
}

// messages tells what is still to be told to people.
func messages(ctx context.Context, f Facts) ([]Family, error) {
	all, err := f.Ledger.Messages(ctx)
	if err != nil {
		return nil, err
	}
	waiting := one("orderly_messages_waiting", "Messages to people that are not delivered yet.",
		float64(len(all)))
	failed := Family{Name: "orderly_messages_failing",
		Help: "Of these, those that could not be delivered when that was tried, by channel."}
	oldest := Family{Name: "orderly_message_oldest_timestamp_seconds",
		Help: "When the oldest of them was made."}
	for _, m := range all {
		oldest.least(seconds(m.Created))
		if m.Tries > 0 {
			failed.add(1, "channel", m.Channel)
		}
	}
	return []Family{waiting, failed, oldest}, nil
}
