package cli

// why answers for one name on one screen: what is configured, what became of its orders, what the
// checks say now, and what to tell the customer who asks.

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/history"
	"orderly/ledger"
)

type why struct {
	places
	online   bool
	customer bool
	resolver string
	port     int
}

// whyView is the answer as programs read it.
type whyView struct {
	Version  int           `json:"version"`
	Name     string        `json:"name"`
	Lineages []lineageView `json:"lineages"`
	Orders   []orderView   `json:"orders"`  // the newest last
	History  []pastView    `json:"history"` // the newest last
	Checks   []checkView   `json:"checks"`
	Verdict  string        `json:"verdict"` // "fine", "fails", "mended", "will-fail", "doubtful"
	Class    failure.Class `json:"class"`   // "" where all is fine
	Who      failure.Who   `json:"who"`
	Retry    failure.Retry `json:"retry"`
	Error    string        `json:"error"`
	Remedy   string        `json:"remedy"`
	Customer string        `json:"customer"`
	Until    *time.Time    `json:"until"`  // when trying again helps, null where nobody said
	Server   string        `json:"server"` // at which it failed, "" for this one
}

// orderView is an order in short.
type orderView struct {
	ID      int64         `json:"id"`
	Lineage string        `json:"lineage"`
	State   string        `json:"state"`
	Created time.Time     `json:"created_at"`
	Class   failure.Class `json:"class"`
	Error   string        `json:"error"`
}

// pastView is a failure of the name, or what logs tell of one class of them.
type pastView struct {
	At       time.Time     `json:"at"` // the last time
	First    time.Time     `json:"first_at"`
	Failures int           `json:"failures"`
	Class    failure.Class `json:"class"`
	Source   string        `json:"source"`
	Server   string        `json:"server"` // "" for this one
	Lineage  string        `json:"lineage"`
	Name     string        `json:"name"` // "" for the whole certificate
	Over     bool          `json:"renewed_since"`
	Error    string        `json:"error"`
}

func viewPast(p history.Past, e history.Entry) pastView {
	return pastView{At: e.At, First: e.Began(), Failures: e.Times(), Class: e.Class, Source: e.Source,
		Server: e.Server, Lineage: e.Lineage, Name: e.Name, Over: p.Over(e), Error: e.Sentence}
}

func newWhy(env Env, p *printer) *cobra.Command {
	f := &why{}
	c := &cobra.Command{
		Use:   "why NAME",
		Short: "Say why one name is not renewed, or that it is, and what to tell the customer",
		Long: "Say on one screen what there is to know of a name: its certificates and what is configured for\n" +
			"it, its last orders and failures, what the checks of this host say now (with --online those of\n" +
			"DNS and HTTP as well), the verdict, what to do, and the sentence for the customer. The CA is not\n" +
			"asked.",
		Args: oneArgument("a name", "`orderly certificates` lists the names of this host."),
		RunE: func(c *cobra.Command, args []string) error {
			return f.execute(c.Context(), env, p, args[0])
		},
	}
	c.Flags().BoolVar(&f.online, "online", false,
		"look at the network as well: DNS, and whether the name serves what is put there")
	c.Flags().BoolVar(&f.customer, "customer", false, "print the sentence for the customer alone")
	c.Flags().StringVar(&f.resolver, "resolver", env.Getenv("ORDERLY_RESOLVER"),
		"DNS server, `host:port`, that --online asks (ORDERLY_RESOLVER)")
	c.Flags().IntVar(&f.port, "preflight-port", environmentPort(env.Getenv),
		"`port` of the web server as the CA sees it (ORDERLY_PREFLIGHT_PORT)")
	f.places.add(c.Flags())
	return c
}

func (f *why) execute(ctx context.Context, env Env, p *printer, typed string) error {
	p.quiet, p.json = f.quiet, f.json
	name, err := dnsName(typed)
	if err != nil {
		return err
	}
	s, there, err := f.look(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	on, err := f.onDisk(ctx, s, name)
	if err != nil {
		return err
	}
	past := history.Past{}
	if there {
		if past, err = pastOf(ctx, s.ledger, name, on.lineages()); err != nil {
			return err
		}
	}
	if len(on.found) == 0 && len(past.Orders) == 0 && len(past.Failures) == 0 {
		return failure.New(failure.Config, failure.Do(failure.ListCertificates)+" has the names.",
			"nothing is known of %s here: no certificate, no order, nothing in a log that was scanned", name)
	}
	v := f.view(ctx, s, p, name, on, past)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case f.customer && !p.json:
		if v.Customer != "" {
			p.Say("%s", v.Customer)
		} else {
			p.Warn("there is nothing to tell the customer of %s", name)
		}
	case p.json:
		p.print(v)
	default:
		p.why(v)
	}
	return nil
}

// pastOf is what the ledger tells of a name: of its lineages, and where it has none any more, of
// every order it was in.
func pastOf(ctx context.Context, store ledger.Store, name string,
	lineages []string) (history.Past, error) {
	if len(lineages) == 0 {
		orders, err := store.Orders(ctx, ledger.OrderFilter{})
		if err != nil {
			return history.Past{}, err
		}
		for _, o := range orders {
			if slices.Contains(o.Names, name) && !slices.Contains(lineages, o.Lineage) {
				lineages = append(lineages, o.Lineage)
			}
		}
	}
	past, err := (history.Book{Store: store}).Of(ctx, name, lineages)
	past.Failures = slices.DeleteFunc(past.Failures, func(e history.Entry) bool {
		return e.Name != "" && e.Name != name
	})
	return past, err
}

// The most that is shown to programs, and to a person on one screen.
const (
	mostPast   = 200
	screenPast = 5
)

// view puts the answer together.
func (f *why) view(ctx context.Context, s *session, p *printer, name string, on *onDisk,
	past history.Past) whyView {
	v := whyView{Version: 1, Name: name, Lineages: on.views(name), Orders: []orderView{},
		History: []pastView{}, Checks: []checkView{}}
	for _, o := range past.Orders[max(0, len(past.Orders)-mostPast):] {
		v.Orders = append(v.Orders, orderView{o.ID, o.Lineage, stateOf(o), o.CreatedAt,
			failure.Class(o.Class), o.Sentence})
	}
	for _, e := range past.Failures[max(0, len(past.Failures)-mostPast):] {
		v.History = append(v.History, viewPast(past, e))
	}
	checks := f.checks(ctx, s, name, on)
	for _, c := range checks {
		v.Checks = append(v.Checks, checkView{c.Check, string(c.Verdict), c.Class, c.Sentence,
			p.remedy(c.Remedy)})
	}
	v.judge(p, name, judgement{checks, past, on.renewed(past), time.Now()})
	return v
}

// why prints the answer for a person.
func (p *printer) why(v whyView) {
	p.Say("%s", p.paint(bold, v.Name))
	for _, l := range v.Lineages {
		p.lines("  certificate:     ", l.words())
		p.lines("  proven by:       ", strings.TrimSpace(l.Authenticator+" "+l.Root))
	}
	if len(v.Lineages) == 0 {
		p.Say("  certificate:     none on this host")
	}
	if len(v.Orders) > 0 {
		p.Say("")
		var rows [][]string
		for _, o := range v.Orders[max(0, len(v.Orders)-screenPast):] {
			rows = append(rows, []string{fmt.Sprint(o.ID), o.Lineage, o.State, p.moment(o.Created), o.Error})
		}
		p.table([]column{{"ORDER", fixed}, {"CERTIFICATE", flexible}, {"STATE", flexible},
			{"CREATED (UTC)", fixed}, {"WHY", aside}}, rows)
	}
	if len(v.History) > 0 {
		p.Say("")
		p.pastOf(v.History[max(0, len(v.History)-screenPast):])
	}
	if len(v.Checks) > 0 {
		p.Say("")
	}
	for _, c := range v.Checks {
		p.lines(fmt.Sprintf("  %-17s", c.Check+":"), strings.TrimSpace(c.Verdict+" "+c.Error))
	}
	p.Say("")
	where := v.Verdict
	if v.Server != "" {
		where += " on " + v.Server
	}
	p.lines("  verdict:         ", strings.TrimSuffix(where+": "+cmp.Or(v.Error, verdictWords(v.Verdict)), ": "))
	if v.Class != "" {
		p.lines("  class:           ", string(v.Class)+", "+mendedBy(v.Who))
		p.lines("  what to do:      ", v.Remedy)
	}
	if v.Until != nil {
		p.Say("  trying again:    helps after %s UTC", clock(*v.Until))
	}
	if v.Customer != "" {
		p.lines("  to the customer: ", v.Customer)
	}
}

// pastOf prints failures, with the server where there is another than this one, and how often where
// one befell more than once.
func (p *printer) pastOf(all []pastView) {
	servers := slices.ContainsFunc(all, func(e pastView) bool { return e.Server != "" })
	often := slices.ContainsFunc(all, func(e pastView) bool { return e.Failures > 1 })
	columns := []column{{"FAILED (UTC)", fixed}, {"CLASS", fixed}}
	if often {
		columns = append(columns, column{"TIMES", fixed}, column{"SINCE (UTC)", fixed})
	}
	if servers {
		columns = append(columns, column{"SERVER", flexible})
	}
	columns = append(columns, column{"KNOWN FROM", flexible}, column{"WHY", aside})
	var rows [][]string
	for _, e := range all {
		row := []string{p.moment(e.At), string(e.Class)}
		if often {
			row = append(row, fmt.Sprint(e.Failures), p.moment(e.First))
		}
		if servers {
			row = append(row, cmp.Or(e.Server, "-"))
		}
		why := e.Error
		if e.Over {
			why += " (renewed since)"
		}
		rows = append(rows, append(row, e.Source, why))
	}
	p.table(columns, rows)
}
