package argparse

// A flag of certbot's is one row here, or one for each group of verbs at which it means something
// else. What it is to Orderly stands beside it, with the sentence for a person: a flag that is
// taken without a word and changes nothing is a certificate other than the one asked for, and so no
// flag is unknown that certbot knows.

import (
	"slices"
	"strings"
)

// kind is what a flag of certbot's is where Orderly's command has no flag of that name. Where it
// has one, that is what the flag means.
type kind int

const (
	// absent is for flags that mean something here wherever they can: without one it is refused.
	absent kind = iota
	// harmless flags are accepted and change nothing that the caller would get.
	harmless
	// refused flags are answered with what to use instead.
	refused
)

// row describes a flag of certbot's at some verbs. At verbs that no row of it names, certbot does
// not heed it either: it is accepted there, as scripts and cli.ini give one set of flags to every
// verb.
type row struct {
	names string // as certbot spells them, Orderly's own spelling first
	short string
	value string // what its value is; "" for a switch
	verbs string // where certbot heeds it; "*" for every verb
	kind  kind
	why   string // harmless: why nothing is lost; refused: the sentence
	use   string // refused: what to do instead
	newer bool   // than Debian's certbot 2.1, or of a plugin: no abbreviation is ambiguous for it
	takes string // the switch that this one takes back
	group string // what help and the manual say in place of the many flags of plugins
	// certbot's verb does not heed it either: what cli.ini says for others is no error
	vainly bool
}

// The verbs that many flags are for.
const (
	orders   = "certonly renew"
	lineages = "certonly renew reconfigure"
	accounts = "certonly renew revoke register unregister update_account show_account reconfigure"
	founding = "certonly renew register reconfigure"
)

// verbs are certbot's commands, among them those that Orderly refuses.
func verbs() []string {
	return []string{"certonly", "renew", "certificates", "delete", "revoke", "register",
		"unregister", "update_account", "show_account",
		"reconfigure", "plugins", "run", "install", "enhance", "rollback", "update_symlinks",
		"auth", "everything"}
}

// flagTable is every flag that certbot 2.1 to 5.6 knows (certbot/_internal/cli,
// constants.CLI_DEFAULTS). The command line, cli.ini, help and the manual pages draw on it.
func flagTable() []row {
	return slices.Concat(flagsOfRuns(), flagsOfCertificates(), flagsOfAccounts(), flagsOfPlugins(),
		pluginOptions())
}

// spellings are the flag's long names.
func (r row) spellings() []string { return strings.Fields(r.names) }

// at reports whether certbot heeds the flag at a verb.
func (r row) at(verb string) bool {
	return r.verbs == "*" || slices.Contains(strings.Fields(r.verbs), verb)
}

// describe is how argparse names a flag in its errors.
func (r row) describe() string {
	var all []string
	if r.short != "" {
		all = append(all, "-"+r.short)
	}
	for _, name := range r.spellings() {
		all = append(all, "--"+name)
	}
	return strings.Join(all, "/")
}
