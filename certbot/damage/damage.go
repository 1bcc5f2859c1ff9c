// Package damage makes renewal directories in the states in which ten years of certbot versions,
// killed processes, full disks and administrators' editors leave them, so that tests can try
// whether a program gets along with each. It is for tests alone: it writes throw-away certificates,
// knows nothing of the packages that are tested, and must never be used by the product.
package damage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dir says where a lineage is made, and what it is like before it is damaged.
type Dir struct {
	Config  string        // certbot's configuration directory; made if it is missing
	Name    string        // of the lineage, and the first name of the certificate
	Others  []string      // further names of the certificate
	Root    string        // document root of all names, an absolute path
	Server  string        // the CA's directory URL
	Account string        // id of an account below accounts/
	Left    time.Duration // how long the certificate is still valid; it is made for 90 days
}

// Case is one state that was met in the field.
type Case struct {
	Name     string
	Sentence string // what happened there
	Make     func(Dir) error
	// Serves tells whether the lineage can be renewed by today's rules, or healed so that it can;
	// then it must be.
	Serves bool
	// Want is a phrase of what a person must be told: in the error, or, where Serves, in a note (""
	// if nothing is odd).
	Want string
	// By names who finds it out where that is not the reader of the disk: "preflight" (it looks at
	// the document root) or "account" (it looks for the account).
	By string
}

// Cases returns all of them. Names are unique and fit for files.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{webroots(), misplaced(), settings(), syntax(), files(), links(), archives()} {
		all = append(all, group...)
	}
	return all
}

// Conf is the path of the renewal file.
func (d Dir) Conf() string { return filepath.Join(d.Config, "renewal", d.Name+".conf") }

// Live is the path of one of the links, by kind: cert, privkey, chain or fullchain.
func (d Dir) Live(kind string) string { return filepath.Join(d.Config, "live", d.Name, kind+".pem") }

// Archived is the path of a file of a version, by kind.
func (d Dir) Archived(kind string, version int) string {
	return filepath.Join(d.Config, "archive", d.Name, fmt.Sprintf("%s%d.pem", kind, version))
}

var kinds = [4]string{"cert", "privkey", "chain", "fullchain"}

// edited makes a healthy lineage whose renewal file an edit went over. An edit that changes nothing
// is an error: its case would test nothing.
func edited(edits ...func(Dir, string) string) func(Dir) error {
	return func(d Dir) error {
		if err := d.Healthy(); err != nil {
			return err
		}
		text, err := os.ReadFile(d.Conf())
		if err != nil {
			return err
		}
		after := string(text)
		for _, edit := range edits {
			before := after
			if after = edit(d, before); after == before {
				return fmt.Errorf("an edit changes nothing in %s", d.Conf())
			}
		}
		return os.WriteFile(d.Conf(), []byte(after), 0o644)
	}
}

// harmed makes a healthy lineage and then does what an accident did.
func harmed(accidents ...func(Dir) error) func(Dir) error {
	return func(d Dir) error {
		if err := d.Healthy(); err != nil {
			return err
		}
		for _, accident := range accidents {
			if err := accident(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// swap replaces text; ROOT and NAME stand for the document root and the lineage's name.
func swap(from, to string) func(Dir, string) string {
	return func(d Dir, text string) string {
		fill := strings.NewReplacer("ROOT", d.Root, "NAME", d.Name)
		return strings.Replace(text, fill.Replace(from), fill.Replace(to), 1)
	}
}

// appended adds text at the end of the file, where administrators add it.
func appended(more string) func(Dir, string) string {
	return func(d Dir, text string) string {
		return text + strings.NewReplacer("ROOT", d.Root, "NAME", d.Name).Replace(more)
	}
}

// param adds a line to [renewalparams].
func param(line string) func(Dir, string) string {
	return swap("[renewalparams]\n", "[renewalparams]\n"+line+"\n")
}

// noMap takes [[webroot_map]] and its entries away.
func noMap(_ Dir, text string) string {
	before, _, _ := strings.Cut(text, "[[webroot_map]]\n")
	return before
}

// emptyMap takes the entries of [[webroot_map]] away.
func emptyMap(d Dir, text string) string { return noMap(d, text) + "[[webroot_map]]\n" }
