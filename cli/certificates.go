package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/renewal"
)

type certificateView struct {
	Name    string    `json:"name"`
	Serial  string    `json:"serial"`
	KeyType string    `json:"key_type"`
	Names   []string  `json:"identifiers"`
	Expires time.Time `json:"expires"`
	DueAt   time.Time `json:"due_at,omitzero"`
	Valid   bool      `json:"valid"`
	Path    string    `json:"fullchain"`
	Key     string    `json:"private_key"`
}

type invalidView struct {
	Path   string `json:"renewal_file"`
	Reason string `json:"error"`
}

type certificates struct {
	places
	certName string
	domains  []string
}

func newCertificates(env Env, p *printer) *cobra.Command {
	f := &certificates{}
	c := &cobra.Command{
		Use:   "certificates [--cert-name NAME] [-d NAME]",
		Short: "List the certificates on this host",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return f.execute(env, p) },
	}
	c.Flags().StringVar(&f.certName, "cert-name", "", "only the certificate of this `name`")
	c.Flags().StringSliceVarP(&f.domains, "domain", "d", nil, "only certificates with one of these `names`")
	f.places.add(c.Flags())
	return c
}

func (f *certificates) execute(env Env, p *printer) error {
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	disk := &certbot.Store{Dirs: s.dirs}
	names, err := disk.Names()
	if err != nil {
		return err
	}
	views, invalid := []certificateView{}, []invalidView{}
	for _, name := range names {
		if f.certName != "" && name != f.certName {
			continue
		}
		l, err := disk.Open(name)
		if err != nil {
			invalid = append(invalid, invalidView{s.dirs.Renewal(name), err.Error()})
			continue
		}
		if len(f.domains) == 0 || slices.ContainsFunc(f.domains, func(d string) bool { return slices.Contains(l.Certificate.Names, d) }) {
			views = append(views, viewCertificate(l))
		}
	}
	if p.json {
		p.print(struct {
			Version      int               `json:"version"`
			Certificates []certificateView `json:"certificates"`
			Invalid      []invalidView     `json:"invalid"`
		}{1, views, invalid})
		return nil
	}
	printCertificates(p, views, invalid)
	return nil
}

func viewCertificate(l *certbot.Lineage) certificateView {
	c := l.Certificate
	v := certificateView{
		Name: l.Name, Serial: c.Serial, KeyType: c.KeyType, Names: c.Names, Expires: c.NotAfter.UTC(),
		Valid: time.Now().Before(c.NotAfter), Path: l.Renewal.FullChain, Key: l.Renewal.PrivKey,
	}
	if at, err := renewal.DueAt(c.NotBefore, c.NotAfter, l.Renewal.Params.RenewBeforeExpiry); err == nil {
		v.DueAt = at.UTC()
	}
	return v
}

// printCertificates prints as certbot 2 does, since scripts read it.
func printCertificates(p *printer, views []certificateView, invalid []invalidView) {
	const frame = "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"
	p.Say(frame)
	if len(views) == 0 && len(invalid) == 0 {
		p.Say("No certificates found.")
	}
	if len(views) > 0 {
		p.Say("Found the following certs:")
	}
	for _, v := range views {
		state := "INVALID: EXPIRED"
		if v.Valid {
			state = fmt.Sprintf("VALID: %d days", int(time.Until(v.Expires).Hours()/24))
		}
		p.Say("  Certificate Name: %s\n    Serial Number: %s\n    Key Type: %s\n    Domains: %s\n    Expiry Date: %s (%s)\n    Certificate Path: %s\n    Private Key Path: %s",
			v.Name, v.Serial, v.KeyType, strings.Join(v.Names, " "), v.Expires.Format("2006-01-02 15:04:05+00:00"), state, v.Path, v.Key)
	}
	if len(invalid) > 0 {
		p.Say("\nThe following renewal configurations were invalid:")
	}
	for _, v := range invalid {
		p.Say("  %s\n    %s", v.Path, v.Reason)
	}
	p.Say(frame)
}
