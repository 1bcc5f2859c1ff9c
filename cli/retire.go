package cli

// retire lists certificates whose sites have moved away, puts them aside and takes them back. At a
// terminal it asks first: what a web server still uses would be missing at its next reload.

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
)

type retire struct {
	places
	working
	undo bool
}

func newRetire(env Env, p *printer) *cobra.Command {
	f := &retire{}
	c := &cobra.Command{
		Use:   "retire [--undo] [CERTIFICATE…]",
		Short: "Put certificates aside whose sites have moved away, or take them back",
		Long: "Without names, list the certificates all of whose names have been seen elsewhere, or without\n" +
			"an address, for 30 days, and those that were put aside. With names, put these aside: nothing\n" +
			"renews them any more, neither Orderly nor certbot, and their files are kept with modes and owners\n" +
			"in CONFIG/orderly/retired/CERTIFICATE. --undo takes them back exactly as they were.\n\n" +
			"Right before, each name is looked up and a file of its document root is fetched under it. What\n" +
			"is served from here is never put aside, whatever the list says; behind a CDN or a load balancer,\n" +
			"too, it is served from here.",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, names []string) error {
			return f.execute(c.Context(), env, p, names)
		},
		ValidArgsFunction: f.forShell,
	}
	c.Flags().BoolVar(&f.undo, "undo", false, "take back what was put aside")
	f.addDeadline(c.Flags())
	f.addNetwork(c.Flags(), env.Getenv)
	f.addAddresses(c.Flags())
	f.places.add(c.Flags())
	return c
}

// forShell offers what can be put aside, or taken back.
func (f *retire) forShell(c *cobra.Command, args []string, typed string) ([]string,
	cobra.ShellCompDirective) {
	if !f.undo {
		return lineagesForShell(c, args, typed)
	}
	var names []string
	aside, _ := (&certbot.Store{Dirs: f.dirs}).Retired() // a directory that cannot be read has none
	for _, one := range aside {
		names = append(names, one.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (f *retire) execute(ctx context.Context, env Env, p *printer, names []string) error {
	p.quiet, p.json = f.quiet, f.json
	switch {
	case len(names) == 0 && f.undo:
		return failure.New(failure.Usage, failure.Do(failure.Retire)+" lists what was put aside.",
			"retire --undo: which certificate?")
	case len(names) == 0:
		return f.list(ctx, env, p)
	case f.undo:
		return f.run(ctx, env, p, &f.working, "retire --undo "+strings.Join(names, ","),
			func(ctx context.Context, s *session) (int, error) { return 0, f.takeBack(ctx, s, names) })
	}
	what := "retire " + strings.Join(names, ",")
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		names, err := s.server.CertificateNames(ctx, names)
		if err != nil {
			return 0, err
		}
		yes, err := f.talk(env, p).confirm(ctx, retireQuestion(names))
		if err != nil || !yes {
			return 0, err
		}
		return 0, f.putAside(ctx, s, what, names)
	})
}

func retireQuestion(names []string) renewal.Question {
	return renewal.Question{Text: "The following certificate(s) are to be put aside:\n\n  * " +
		strings.Join(names, "\n  * ") + "\n\nA web server whose configuration still names their files " +
		"will not start or reload without them. Put them aside?", Yes: "Yes", No: "No", AtTerminal: true}
}

func (f *retire) putAside(ctx context.Context, s *session, what string, names []string) error {
	if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
		return err
	}
	done := []string{}
	var err error
	for _, name := range names {
		if err = s.server.Retire(ctx, name); err != nil {
			break
		}
		done = append(done, name)
	}
	if len(done) > 0 {
		s.p.Warn("a web server whose configuration still names files in %s fails at its next reload; "+
			"look for them: %s", filepath.Join(s.dirs.Config, "live", "…"), usesOf(s.dirs, done))
	}
	if s.p.json && err == nil {
		s.p.print(struct {
			Version int      `json:"version"`
			Retired []string `json:"retired"`
		}{1, done})
	}
	return err
}

// usesOf is how a person finds the configuration that uses certificates.
func usesOf(dirs certbot.Dirs, names []string) failure.Remedy {
	words := []string{"grep", "-rnF"}
	for _, name := range names {
		words = append(words, "-e", filepath.Join(dirs.Config, "live", name)+"/")
	}
	return failure.Remedy("`") + failure.Shell(append(words, "/etc")...) + "`"
}

func (f *retire) takeBack(ctx context.Context, s *session, names []string) error {
	if err := s.server.Begin(ctx, "retire --undo "+strings.Join(names, ","), s.env.PID, nil); err != nil {
		return err
	}
	done := []string{}
	for _, name := range names {
		if err := s.server.Unretire(ctx, name); err != nil {
			return err
		}
		done = append(done, name)
	}
	if s.p.json {
		s.p.print(struct {
			Version  int      `json:"version"`
			Returned []string `json:"returned"`
		}{1, done})
	}
	return nil
}

// awayView is a certificate whose sites have moved away.
type awayView struct {
	Lineage string         `json:"lineage"`
	Names   []sightingView `json:"names"`
	Since   time.Time      `json:"since"` // all of them
	Expires time.Time      `json:"expires"`
	File    string         `json:"renewal_file"`
}

// sightingView is what was seen of a name.
type sightingView struct {
	Name      string     `json:"name"`
	State     string     `json:"state"` // elsewhere or dead
	Since     time.Time  `json:"since"`
	Addresses []string   `json:"addresses"`
	ServedAt  *time.Time `json:"served_at"` // null where this host was never reached under it
	LookedAt  time.Time  `json:"looked_at"`
}

// retiredView is a certificate that was put aside.
type retiredView struct {
	Lineage   string     `json:"lineage"`
	RetiredAt time.Time  `json:"retired_at"`
	Names     []string   `json:"names"`
	Expires   *time.Time `json:"expires"` // null where it cannot be read
	Directory string     `json:"directory"`
}

func (f *retire) list(ctx context.Context, env Env, p *printer) error {
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	disk := (&certbot.Store{Dirs: s.dirs}).Within(ctx)
	away, retired := []awayView{}, []retiredView{}
	if there {
		list, err := renewal.ReadAway(ctx, disk, s.ledger)
		if err != nil {
			return err
		}
		for _, one := range list {
			away = append(away, viewAway(one))
		}
	}
	aside, err := disk.Retired()
	if err != nil {
		return err
	}
	for _, one := range aside {
		retired = append(retired, viewRetired(one))
	}
	if p.json {
		p.print(struct {
			Version int           `json:"version"`
			Away    []awayView    `json:"away"`
			Retired []retiredView `json:"retired"`
		}{1, away, retired})
		return nil
	}
	p.away(away)
	p.retired(retired)
	return nil
}

func viewAway(a renewal.Away) awayView {
	v := awayView{Lineage: a.Lineage, Since: a.Since.UTC(), Expires: a.Expires, File: a.Path}
	for _, seen := range a.Names {
		v.Names = append(v.Names, viewSighting(seen))
	}
	return v
}

func viewSighting(seen ledger.Sighting) sightingView {
	v := sightingView{Name: seen.Name, State: "elsewhere", Since: seen.ElsewhereSince, Addresses: []string{},
		LookedAt: seen.LookedAt}
	if v.Since.IsZero() {
		v.State, v.Since = "dead", seen.DeadSince
	}
	for _, a := range seen.Addresses {
		v.Addresses = append(v.Addresses, a.String())
	}
	if !seen.ServedAt.IsZero() {
		v.ServedAt = &seen.ServedAt
	}
	return v
}

// words says what was seen of a name, for a person.
func (v sightingView) words() string {
	if v.State == "dead" {
		return v.Name + " has no address"
	}
	return v.Name + " points to " + strings.Join(v.Addresses, ", ")
}

func viewRetired(r certbot.Retired) retiredView {
	v := retiredView{Lineage: r.Name, RetiredAt: r.At.UTC(), Names: append([]string{}, r.Names...),
		Directory: r.Dir}
	if !r.Expires.IsZero() {
		v.Expires = known(r.Expires.UTC())
	}
	return v
}

// away prints which certificates can be put aside, and how.
func (p *printer) away(all []awayView) {
	if len(all) == 0 {
		p.Say("No certificate whose sites have all been away for 30 days.")
		return
	}
	var rows [][]string
	for _, v := range all {
		var seen []string
		for _, one := range v.Names {
			seen = append(seen, one.words())
		}
		rows = append(rows, []string{v.Lineage, p.moment(v.Since), p.moment(v.Expires), strings.Join(seen, "; ")})
	}
	p.table([]column{{"AWAY", flexible}, {"SINCE (UTC)", fixed}, {"EXPIRES (UTC)", fixed},
		{"WHAT WAS SEEN", aside}}, rows)
	p.Say("%s", p.remedy(failure.Advise("%s puts one aside.", failure.Do(failure.Retire, "CERTIFICATE"))))
}

// retired prints what was put aside, and how it comes back.
func (p *printer) retired(all []retiredView) {
	if len(all) == 0 {
		return
	}
	var rows [][]string
	for _, v := range all {
		expires := "-"
		if v.Expires != nil {
			expires = p.moment(*v.Expires)
		}
		rows = append(rows, []string{v.Lineage, p.moment(v.RetiredAt), expires, strings.Join(v.Names, ", ")})
	}
	p.Say("")
	p.table([]column{{"PUT ASIDE", flexible}, {"SINCE (UTC)", fixed}, {"EXPIRES (UTC)", fixed},
		{"NAMES", aside}}, rows)
	p.Say("%s", p.remedy(failure.Advise("%s takes one back.", failure.Do(failure.Unretire, "CERTIFICATE"))))
}

// mention says how many certificates were put aside, if any: they are in no other list.
func (p *printer) mention(retired int) {
	if retired > 0 {
		p.Say("%d retired: %s", retired, p.remedy(failure.Do(failure.Retire)))
	}
}
