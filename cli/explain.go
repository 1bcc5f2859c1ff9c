package cli

// explain says what an error means that any client printed: pasted by a person, or a file of them
// for a program. It reads no ledger and asks nobody, so that it can be had on a laptop.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/scan"
)

type explain struct {
	places
	addresses []string
	lines     bool
}

// findingView is a finding as programs read it.
type findingView struct {
	Name     string        `json:"name"`
	Class    failure.Class `json:"class"`
	Who      failure.Who   `json:"who"`
	Retry    failure.Retry `json:"retry"`
	Charged  bool          `json:"charged"`
	Limit    string        `json:"limit"`
	Until    *time.Time    `json:"until"` // null where the text does not say
	Sentence string        `json:"sentence"`
	Customer string        `json:"customer"`
	Remedy   string        `json:"remedy"`
}

func newExplain(env Env, p *printer) *cobra.Command {
	f := &explain{}
	c := &cobra.Command{
		Use:   "explain [TEXT...]",
		Short: "Say what an error means that any ACME client printed, and what to do",
		Long: "Explain an error of certbot, lego, acme.sh, dehydrated, uacme, Orderly or a CA: for each name in\n" +
			"it the class, whose it is to mend, whether trying again helps and when, and what to do. The text is\n" +
			"given as arguments (behind -- if it begins with a dash) or on standard input, as it was printed:\n" +
			"wrapped, in JSON, or a whole page of a log. Nothing is asked of the network or the ledger.\n\n" +
			"  orderly explain --address 192.0.2.10 < mail-from-cron\n\n" +
			"With --lines each line of standard input is a text by itself, in which \\n, \\t and \\\\ stand for a\n" +
			"line break, a tab and a backslash; with --json a line of JSON is written for each.",
		Args: func(_ *cobra.Command, args []string) error { return f.consistentWith(args) },
		RunE: func(c *cobra.Command, args []string) error { return f.execute(c.Context(), env, p, args) },
	}
	c.Flags().StringArrayVar(&f.addresses, "address", nil,
		"an `IP` address (or network) of this server or its fleet; what points elsewhere has moved "+
			"away. May be repeated")
	c.Flags().BoolVar(&f.lines, "lines", false, "each line of standard input is a text")
	f.places.add(c.Flags())
	return c
}

// consistentWith refuses a text that would not be read.
func (f *explain) consistentWith(args []string) error {
	if f.lines && len(args) > 0 {
		return failure.New(failure.Usage, "Give the texts on standard input, or leave out --lines.",
			"--lines reads standard input, but a text was given")
	}
	return nil
}

func (f *explain) execute(ctx context.Context, env Env, p *printer, args []string) error {
	p.quiet, p.json = f.quiet, f.json
	here, err := ourAddresses(f.addresses)
	if err != nil {
		return err
	}
	if f.lines {
		return explainLines(ctx, env.input(), p, here)
	}
	text := strings.Join(args, " ")
	if len(args) == 0 {
		if text, err = pasted(ctx, env, p); err != nil {
			return err
		}
	}
	found, err := meaning(ctx, p, text, here)
	if err != nil {
		return err
	}
	if p.json {
		p.print(struct {
			Version  int           `json:"version"`
			Findings []findingView `json:"findings"`
		}{1, newFindings(p).views(found)})
		return nil
	}
	for i, one := range found {
		if i > 0 {
			p.Say("")
		}
		p.explain(one)
	}
	return nil
}

// What is said of a log in which all went well. There is no class for that, and for a person none is
// printed.
const (
	noFailure    = "the log tells of no failure"
	noFailureYet = "the first 8 MiB of the log tell of no failure, and no more of it was read"
)

// meaning is what a text means, never nothing. A log is read as pending scan reads it: most of it is
// of what went well, and what failed stands anywhere in it.
func meaning(ctx context.Context, p *printer, text string, here diagnose.Here) ([]diagnose.Finding, error) {
	if !scan.IsLog(text) {
		return diagnose.Text(text, here), nil
	}
	p.Tell("This is a log: `orderly pending scan` reads whole logs, and says what they left open.")
	found, sure, err := scan.Text(ctx, text, here)
	switch {
	case err != nil:
		return nil, failure.Wrap(err, failure.Stopped, "Run the same command again.",
			"stopped while the log was read")
	case len(found) > 0 && (sure || !slices.ContainsFunc(found, nameless)):
		return found, nil
	case sure && len(text) == mostPasted: // what fails may stand in the rest
		return []diagnose.Finding{{Class: failure.Unclassified, Sentence: noFailureYet}}, nil
	case sure:
		return []diagnose.Finding{{Class: failure.Unclassified, Sentence: noFailure}}, nil
	}
	// A piece of a run, which its beginning would tell the names of: its words may have them.
	said := diagnose.Text(text, here)
	if len(found) > 0 && slices.ContainsFunc(said, nameless) {
		return found, nil
	}
	return said, nil
}

// nameless reports whether a finding is about no name.
func nameless(f diagnose.Finding) bool { return f.Name == "" }

// ourAddresses are the addresses of this server or fleet.
func ourAddresses(given []string) (here diagnose.Here, err error) {
	for _, text := range given {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, wrong := netip.ParseAddr(text)
			if wrong != nil {
				return here, failure.New(failure.Usage, "", "--address %s: not an IP address",
					failure.Clean(text))
			}
			address = address.Unmap().WithZone("")
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		here.Ours = append(here.Ours, prefix.Masked())
	}
	return here, nil
}

// mostPasted is how much of a pasted text is read, in bytes. What is looked at of it is less.
const mostPasted = 8 << 20

// pasted is the text on standard input.
func pasted(ctx context.Context, env Env, p *printer) (string, error) {
	in := env.input()
	if in == nil {
		return "", nil
	}
	if reads(env.Stdin) && p.tty {
		p.Tell("Paste the text, then press Ctrl-D.")
	}
	text, err := io.ReadAll(io.LimitReader(in, mostPasted))
	if err != nil && ctx.Err() != nil {
		return "", failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
			"stopped while the text was read")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", failure.Wrap(err, failure.Config, "Give the text as an argument, or mend the pipe.",
			"standard input cannot be read")
	}
	if len(text) == mostPasted {
		p.Warn("only the first %d MiB of the text were read", mostPasted>>20)
	}
	return string(text), nil
}

// explain prints a finding for a person.
func (p *printer) explain(f diagnose.Finding) {
	if f.Class == failure.Unclassified && (f.Sentence == noFailure || f.Sentence == noFailureYet) {
		p.Say("T%s.", f.Sentence[1:])
		return
	}
	p.Say("%s", p.paint(bold, strings.TrimSpace(f.Name+"  "+string(f.Class))))
	charged := ""
	if f.Charged {
		charged = "each attempt spends one of five failed authorizations an hour at Let's Encrypt"
	}
	for _, line := range [][2]string{{"what is wrong", f.Sentence}, {"to mend it", whose(f.Class.Who())},
		{"trying again", again(f)}, {"charged", charged}, {"what to do", p.remedy(f.Remedy)},
		{"to the customer", f.Customer}} {
		if line[1] != "" {
			p.lines(fmt.Sprintf("  %-17s", line[0]+":"), line[1])
		}
	}
}

// whose says whose it is to mend something.
func whose(w failure.Who) string {
	return cmp.Or(map[failure.Who]string{
		failure.Provider: "whoever runs this server",
		failure.Customer: "whoever owns the name or the site",
		failure.CA:       "the CA",
		failure.Nobody:   "nobody has to",
	}[w], string(w))
}

// again says whether trying again helps, and when.
func again(f diagnose.Finding) string {
	switch r := f.Class.Retry(); {
	case r == failure.RetryLater && !f.Until.IsZero():
		return "helps after " + clock(f.Until) + " UTC"
	case r == failure.RetryLater:
		return "helps later; back off"
	case r == failure.RetryOnce:
		return "once, then look"
	}
	return "does not help until it is mended"
}
