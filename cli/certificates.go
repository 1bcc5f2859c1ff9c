package cli

// certificates lists what is on this host's disk, as certbot lists it. Nobody is asked, and one
// lineage that cannot be read must not hide the others.

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
)

type certificateView struct {
	Name          string    `json:"name"`
	Serial        string    `json:"serial"`
	KeyType       string    `json:"key_type"`
	Names         []string  `json:"identifiers"`
	NotBefore     time.Time `json:"not_before"`
	Expires       time.Time `json:"expires"`
	DueAt         time.Time `json:"due_at,omitzero"` // absent for never
	DueBecause    string    `json:"due_because,omitempty"`
	Explanation   string    `json:"explanation_url,omitempty"` // the CA's, of why it is due then
	Valid         bool      `json:"valid"`
	Expired       bool      `json:"expired"`
	Revoked       bool      `json:"revoked"` // by this ledger's commands
	RevokedAt     time.Time `json:"revoked_at,omitzero"`
	Reason        string    `json:"revocation_reason,omitempty"`
	Test          bool      `json:"test_cert"`
	Status        string    `json:"status"` // certbot's words, without the days that are left
	Issuer        string    `json:"issuer"`
	Version       int       `json:"archive_version"`
	Path          string    `json:"fullchain"`
	Key           string    `json:"private_key"`
	Renewal       string    `json:"renewal_file"`
	Server        string    `json:"server,omitempty"`
	Account       string    `json:"account,omitempty"`
	Authenticator string    `json:"authenticator,omitempty"`
	Unusable      string    `json:"not_renewable,omitempty"` // why no renewal can be tried
	Note          string    `json:"note,omitempty"`
	Notes         []string  `json:"notes,omitempty"` // what is odd about when it is due
}

type invalidView struct {
	Path   string `json:"renewal_file"`
	Reason string `json:"error"`
	Remedy string `json:"remedy,omitempty"`
}

type certificates struct {
	places
	certName string
	domains  []string
	due      bool
	known    renewal.Known
	retired  int // how many were put aside
}

func newCertificates(env Env, p *printer) *cobra.Command {
	f := &certificates{}
	c := &cobra.Command{
		Use:   "certificates [--cert-name NAME] [-d NAME] [--due]",
		Short: "List the certificates on this host",
		Long: "List the certificates on this host as certbot does. Revoked are those that were revoked from\n" +
			"here: nobody is asked. What cannot be read is told with its reason, and keeps nothing else from\n" +
			"the list. --due lists when each is to be renewed and why, the next first: because its CA\n" +
			"suggests it (ari), because of its lifetime or of renew_before_expiry in its renewal file,\n" +
			"because it was revoked, or never (off: autorenew = False).",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().StringVar(&f.certName, "cert-name", "", "only the certificate of this `name`")
	c.Flags().StringSliceVarP(&f.domains, "domain", "d", nil,
		"only certificates with all of these `names`")
	alias(c.Flags(), "domains", "domain")
	c.Flags().BoolVar(&f.due, "due", false, "list when each is to be renewed, and why")
	f.places.add(c.Flags())
	return c
}

func (f *certificates) execute(ctx context.Context, env Env, p *printer) error {
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	f.known = f.read(ctx, env, p)
	disk := (&certbot.Store{Dirs: s.dirs}).Within(ctx)
	names, err := disk.Names()
	if err != nil {
		return err
	}
	if f.certName != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return name != f.certName })
	}
	aside, _ := disk.Retired() // who may not read that directory sees the certificates all the same
	f.retired = len(aside)
	found, invalid := f.list(p, disk, names)
	if ctx.Err() != nil { // half a list must not look like a whole one
		return context.Cause(ctx)
	}
	if f.due {
		slices.SortStableFunc(found, func(a, b listed) int { return soonest(a.due, b.due) })
	}
	if p.json {
		views := []certificateView{}
		for _, l := range found {
			views = append(views, l.view)
		}
		p.print(struct {
			Version      int               `json:"version"`
			Certificates []certificateView `json:"certificates"`
			Invalid      []invalidView     `json:"invalid"`
			Retired      int               `json:"retired"`
		}{1, views, invalid, f.retired})
		return nil
	}
	if f.due {
		printDue(p, found, invalid)
		p.mention(f.retired)
		objections(p, found, invalid)
		return nil
	}
	f.print(p, found, invalid)
	return nil
}

// read is what the ledger knows. Certificates are listed also where it cannot be read.
func (f *certificates) read(ctx context.Context, env Env, p *printer) (known renewal.Known) {
	s, there, err := f.look(ctx, env, p)
	if err == nil && !there {
		return known
	}
	if err == nil {
		defer func() { _ = s.close() }() // nothing was written
		if f.due || p.json {
			known, err = renewal.ReadKnown(ctx, s.ledger)
		} else {
			known.Revocations, err = renewal.KnownRevocations(ctx, s.ledger)
		}
	}
	if err != nil {
		p.Warn("whether certificates were revoked from here, and when their CAs want them renewed, "+
			"is not known: %v", err)
	}
	return known
}

// listed is what is kept of a lineage: of thousands, whole, the memory would be full.
type listed struct {
	name   string
	facts  certbot.Facts
	view   certificateView // for --json
	note   string
	due    renewal.Due
	stuck  string // why no renewal can be tried
	owned  certbot.Owned
	notes  []certbot.Note
	wanted bool
	err    error
}

// list reads the lineages. One that is broken keeps no other from the list.
func (f *certificates) list(p *printer, disk *certbot.Store, names []string) ([]listed,
	[]invalidView) {
	looked := make([]listed, len(names))
	var verifier certbot.Verifier
	now := time.Now()
	disk.LookEach(names, func(i int, l *certbot.Lineage, err error) {
		one := listed{name: names[i], err: err}
		if err == nil {
			one.err, one.facts, one.wanted = verifier.Verify(l), l.Facts(now), f.matches(l)
			one.note = p.pasted(host.WithoutInstaller(disk, l, true))
			one.owned, one.notes = l.Renewal.Owned(), l.Renewal.DueNotes()
			_, one.facts.Revoked = f.known.Revocations.Of(l.Certificate)
			if f.due || p.json {
				one.due, _ = f.known.Due(l) // what is no interval is noted, and has no effect
				if err := l.Usable(); err != nil {
					one.stuck = p.pasted(err.Error())
				}
			}
			if p.json {
				one.view = f.viewCertificate(l, one)
			}
		}
		looked[i] = one
	})
	remarks(p, disk, looked)
	var found []listed
	invalid := []invalidView{}
	for _, one := range looked {
		err := one.err
		// who may not read the private key sees the certificate all the same
		if errors.Is(err, fs.ErrPermission) && one.facts.Name != "" {
			p.Warn("%s was not checked: %v", one.name, err)
			err = nil
		}
		if err != nil {
			invalid = append(invalid, invalidView{disk.Dirs.Renewal(one.name), failure.Clean(p.pasted(err.Error())),
				p.remedy(failure.RemedyOf(err))})
			continue
		}
		if one.wanted {
			found = append(found, one)
		}
	}
	return found, invalid
}

// remarks warns of what keeps nothing from the list: two renewal files for the same files, and what
// has no effect in one.
func remarks(p *printer, disk *certbot.Store, looked []listed) {
	var all []certbot.Owned
	for _, one := range looked {
		all = append(all, one.owned)
		for _, note := range one.notes {
			p.Warn("%s", note)
		}
	}
	copies := certbot.Copies(all)
	for _, one := range looked {
		if original := copies[one.name]; original != "" {
			err := disk.SharedFailure(one.name, original)
			p.Warn("%v. %s", err, p.remedy(failure.RemedyOf(err)))
		}
	}
}

// matches reports whether a certificate has all the names that were asked for, as certbot's filter
// does.
func (f *certificates) matches(l *certbot.Lineage) bool {
	for _, typed := range f.domains {
		name := strings.ToLower(strings.TrimSpace(typed))
		if ascii, err := dnsName(typed); err == nil {
			name = ascii
		}
		if !slices.ContainsFunc(l.Certificate.Names,
			func(n string) bool { return strings.EqualFold(n, name) }) {
			return false
		}
	}
	return true
}

func (f *certificates) viewCertificate(l *certbot.Lineage, one listed) certificateView {
	c, r, facts := l.Certificate, l.Renewal, one.facts
	v := certificateView{
		Name: l.Name, Serial: c.Serial, KeyType: c.KeyType, Names: c.Names,
		NotBefore: c.NotBefore.UTC(), Expires: facts.Expires,
		Valid: !facts.Expired && !facts.Revoked, Expired: facts.Expired, Test: facts.Test,
		Status: facts.Status(), Issuer: c.Issuer.String(),
		Version: l.Version, Path: r.FullChain, Key: r.PrivKey, Renewal: r.Path,
		Server: r.Params.Server, Account: r.Params.Account,
		Authenticator: r.Params.Authenticator, DueBecause: one.due.Because,
		Explanation: one.due.Explanation, Note: one.note, Unusable: one.stuck,
	}
	if !one.due.At.IsZero() {
		v.DueAt = one.due.At.UTC()
	}
	if gone, ok := f.known.Revocations.Of(c); ok {
		v.Revoked, v.RevokedAt, v.Reason = true, gone.At.UTC(), gone.Reason
	}
	if word, _, _ := strings.Cut(v.Status, ":"); word == "VALID" {
		v.Status = word // for how long yet, expires says as a time
	}
	for _, note := range r.DueNotes() {
		v.Notes = append(v.Notes, note.String())
	}
	return v
}

// print prints as certbot 2 and 5 do, since scripts read it: the former says Domains, the latter
// Identifiers.
func (f *certificates) print(p *printer, found []listed, invalid []invalidView) {
	p.Say("\n%s", frame)
	if len(found) == 0 && len(invalid) == 0 {
		p.Say("No certificates found.")
	}
	if len(found) > 0 {
		matching := ""
		if f.certName != "" || len(f.domains) > 0 {
			matching = "matching "
		}
		p.Say("Found the following %scerts:", matching)
	}
	for _, l := range found {
		v, names := l.facts, strings.Join(l.facts.Names, " ")
		p.say("  Certificate Name: %s\n    Serial Number: %s\n    Key Type: %s\n    Domains: %s\n"+
			"    Identifiers: %s\n    Expiry Date: %s (%s)\n    Certificate Path: %s\n    Private Key Path: %s",
			v.Name, v.Serial, v.KeyType, names, names,
			v.Expires.Format("2006-01-02 15:04:05+00:00"), v.Status(), v.FullChain, v.PrivKey)
	}
	if len(invalid) > 0 {
		p.Say("\nThe following renewal configurations were invalid:")
	}
	for _, v := range invalid {
		p.Say("  %s", v.Path)
	}
	p.Say(frame)
	p.mention(f.retired)
	objections(p, found, invalid)
}

// objections tells what is odd about those that can be read, and why the others cannot.
func objections(p *printer, found []listed, invalid []invalidView) {
	for _, l := range found {
		if l.note != "" {
			p.Warn("%s", l.note)
		}
	}
	for _, v := range invalid {
		remedy := ""
		if v.Remedy != "" {
			remedy = "\n    remedy: " + v.Remedy
		}
		p.Warn("Renewal configuration file %s produced an unexpected error: %s. Skipping.%s", v.Path,
			v.Reason, remedy)
	}
}
