package cli

import (
	"slices"
	"strings"
)

// kind is what a flag of certbot's is where Orderly's command has no flag of that name. Where it has one, that is what the
// flag means.
type kind int

const (
	// absent is for flags that mean something here wherever they can: without one it is refused.
	absent kind = iota
	// harmless flags are accepted and change nothing that the caller would get.
	harmless
	// refused flags are answered with what to use instead.
	refused
)

// row describes a flag of certbot's at some verbs. At verbs that no row of it names, certbot does not heed it either: it is
// accepted there, as scripts and cli.ini give one set of flags to every verb.
type row struct {
	names  string // as certbot spells them, Orderly's own spelling first
	short  string
	value  string // what its value is; "" for a switch
	verbs  string // where certbot heeds it; "*" for every verb
	kind   kind
	why    string // harmless: why nothing is lost; refused: the sentence
	use    string // refused: what to do instead
	newer  bool   // younger than Debian's certbot 2.1, or of a plugin: it must not make an abbreviation ambiguous
	takes  string // the switch that this one takes back
	group  string // what help and the manual say in place of the many flags of plugins
	vainly bool   // certbot's verb does not heed it either: what cli.ini says for others is no error
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
	return []string{"certonly", "renew", "certificates", "delete", "revoke", "register", "unregister", "update_account", "show_account",
		"reconfigure", "plugins", "run", "install", "enhance", "rollback", "update_symlinks", "auth", "everything"}
}

// flagTable is every flag that certbot 2.1 to 5.6 knows (certbot/_internal/cli, constants.CLI_DEFAULTS). The command line,
// cli.ini, help and the manual pages draw on it.
func flagTable() []row {
	return slices.Concat(flagsOfRuns(), flagsOfCertificates(), flagsOfAccounts(), flagsOfPlugins(), pluginOptions())
}

func flagsOfRuns() []row {
	const asks = "nothing is asked here"
	return []row{
		{names: "help", short: "h"},
		{names: "version"},
		{names: "config", short: "c", value: "FILE", verbs: "*", kind: harmless, why: "the file was read"},
		{names: "verbose", short: "v", verbs: "*", kind: harmless, why: "there is nothing more to say"},
		{names: "verbose-level", value: "LEVEL", verbs: "*", kind: harmless, why: "the log holds everything; -v shows it"},
		{names: "text", short: "t", verbs: "*", kind: harmless, why: "there is no other mode"},
		{names: "quiet", short: "q", verbs: "*", kind: harmless, why: "there is nothing to say"},
		{names: "non-interactive noninteractive", short: "n", verbs: "*", kind: harmless, why: asks},
		{names: "force-interactive", verbs: "certonly register enhance install run"},
		{names: "force-interactive", verbs: "renew", kind: refused, why: "--force-interactive cannot be used with renew", use: "Leave it out."},
		{names: "max-log-backups", value: "N", verbs: "*", kind: harmless, why: "orderly.log is set aside by its size"},
		{names: "preconfigured-renewal", verbs: "*", kind: harmless, why: "certonly looks at what renews on this host, and says that"},
		{names: "debug", verbs: "*", kind: harmless, why: "the log holds everything"},
		{names: "debug-challenges", verbs: orders, kind: refused, why: "Orderly does not stop between placing a challenge and answering it",
			use: "Rehearse with --dry-run -v, which shows every step."},
		{names: "config-dir", value: "DIR", verbs: "*"},
		{names: "work-dir", value: "DIR", verbs: "*"},
		{names: "logs-dir", value: "DIR", verbs: "*"},
		{names: "strict-permissions", verbs: "*", kind: refused, why: "Orderly does not check who owns the files of the configuration",
			use: "Keep the configuration in a directory that root alone can write, and leave --strict-permissions out."},
		{names: "os-packages-only", verbs: "*", kind: harmless, why: "nothing is installed by it any more"},
		{names: "no-self-upgrade", verbs: "*", kind: harmless, why: "Orderly never upgrades itself"},
		{names: "no-bootstrap", verbs: "*", kind: harmless, why: "nothing is installed by it any more"},
		{names: "no-permissions-check", verbs: "*", kind: harmless, why: "there is no such check"},
		{names: "dry-run", verbs: lineages},
		{names: "run-deploy-hooks", verbs: lineages, newer: true},
		{names: "pre-hook", value: "COMMAND", verbs: lineages},
		{names: "post-hook", value: "COMMAND", verbs: lineages},
		{names: "deploy-hook renew-hook", value: "COMMAND", verbs: lineages},
		{names: "disable-hook-validation", verbs: lineages},
		{names: "no-directory-hooks", verbs: orders, kind: harmless, why: "no hooks are run"},
		{names: "no-random-sleep-on-renew", verbs: "renew"},
		{names: "disable-renew-updates", verbs: "renew", kind: harmless, why: "Orderly changes no web server's configuration"},
		{names: "issuance-timeout", value: "SECONDS", verbs: lineages, kind: harmless, why: "an order that takes longer is continued by the next run"},
		{names: "user-agent", value: "TEXT", verbs: "*", kind: harmless, why: "it only changes what the CA counts"},
		{names: "user-agent-comment", value: "TEXT", verbs: "*", kind: harmless, why: "it only changes what the CA counts"},
	}
}

func flagsOfCertificates() []row {
	const byName = "Currently, the renew verb is capable of either renewing all installed certificates that are due to be renewed or renewing a single certificate specified by its name. If you would like to renew specific certificates by their domains, use the certonly command instead"
	return []row{
		{names: "domain domains", short: "d", value: "NAME", verbs: "certonly certificates"},
		{names: "domain domains", short: "d", value: "NAME", verbs: "renew", kind: refused, why: byName,
			use: "Use --cert-name NAME, or certonly with -d.", vainly: true},
		{names: "domain domains", short: "d", value: "NAME", verbs: "reconfigure", kind: refused, why: "reconfigure cannot change the names of a certificate",
			use: "Use certonly --cert-name NAME -d …", vainly: true},
		{names: "ip-address", value: "ADDRESS", verbs: "certonly", newer: true},
		{names: "cert-name", value: "NAME", verbs: lineages + " certificates delete revoke"},
		{names: "cert-path", value: "FILE", verbs: "certonly revoke"},
		{names: "key-path", value: "FILE", verbs: "revoke"},
		{names: "fullchain-path", value: "FILE", verbs: "certonly"},
		{names: "chain-path", value: "FILE", verbs: "certonly"},
		{names: "csr", value: "FILE", verbs: "certonly"},
		{names: "expand", verbs: "certonly"},
		{names: "keep-until-expiring keep reinstall", verbs: "certonly", kind: harmless, why: "this is what happens anyway"},
		{names: "force-renewal renew-by-default", verbs: orders},
		{names: "renew-with-new-domains", verbs: "certonly", kind: harmless, why: "this is what happens anyway"},
		{names: "allow-subset-of-names", verbs: orders},
		{names: "duplicate", verbs: "certonly"},
		{names: "no-autorenew", verbs: lineages, takes: "autorenew", kind: refused, why: "Orderly's command does not change whether a lineage is renewed",
			use: "Write autorenew = False under [renewalparams] in its renewal file."},
		{names: "autorenew", verbs: lineages, takes: "no-autorenew", kind: refused, why: "Orderly's command does not change whether a lineage is renewed",
			use: "Take autorenew = False out of its renewal file, where it stands there.", newer: true},
		{names: "key-type", value: "TYPE", verbs: lineages},
		{names: "rsa-key-size", value: "BITS", verbs: lineages},
		{names: "elliptic-curve", value: "CURVE", verbs: lineages},
		{names: "reuse-key", verbs: lineages, takes: "no-reuse-key"},
		{names: "no-reuse-key", verbs: lineages, takes: "reuse-key"},
		{names: "new-key", verbs: orders},
		{names: "must-staple", verbs: lineages},
		{names: "preferred-chain", value: "NAME", verbs: lineages},
		{names: "preferred-profile", value: "NAME", verbs: lineages, newer: true},
		{names: "required-profile", value: "NAME", verbs: lineages, newer: true},
		{names: "preferred-challenges", value: "TYPES", verbs: lineages},
		{names: "break-my-certs", verbs: orders, kind: harmless, why: "--staging and --server do what they say without it"},
		{names: "reason", value: "REASON", verbs: "revoke"},
		{names: "delete-after-revoke", verbs: "revoke", takes: "no-delete-after-revoke"},
		{names: "no-delete-after-revoke", verbs: "revoke", takes: "delete-after-revoke"},
	}
}

func flagsOfAccounts() []row {
	return []row{
		{names: "server", value: "URL", verbs: accounts},
		{names: "staging test-cert", verbs: accounts},
		{names: "account", value: "ID", verbs: accounts},
		{names: "agree-tos", verbs: founding},
		{names: "email", short: "m", value: "ADDRESS", verbs: founding + " update_account"},
		{names: "register-unsafely-without-email", verbs: founding + " update_account"},
		{names: "eff-email", verbs: founding + " update_account", takes: "no-eff-email", kind: harmless,
			why: "Orderly passes no address on; the EFF's letters are subscribed to at eff.org"},
		{names: "no-eff-email", verbs: founding + " update_account", takes: "eff-email", kind: harmless, why: "Orderly passes no address on"},
		{names: "eab-kid", value: "ID", verbs: founding},
		{names: "eab-hmac-key", value: "KEY", verbs: founding},
		{names: "eab-hmac-alg", value: "ALGORITHM", verbs: founding, newer: true},
		{names: "no-verify-ssl", verbs: accounts, kind: refused, why: "Orderly never talks to a CA whose certificate it cannot verify",
			use: "Put the CA's root certificate into a file and name it in SSL_CERT_FILE."},
	}
}

// What to use instead of what Orderly does not do.
const (
	useWebroot = "Use certonly --webroot -w DIR -d NAME, and --deploy-hook 'systemctl reload nginx' (or whatever server it is) to load the certificate."
	useServer  = "Configure it in the web server."
	useHook    = "Use --deploy-hook 'systemctl reload nginx' (or whatever server it is)."
)

func flagsOfPlugins() []row {
	const server = "Orderly does not change web servers' configuration"
	rows := []row{
		{names: "authenticator", short: "a", value: "PLUGIN", verbs: lineages, kind: harmless, why: "PLUGIN webroot means --webroot; others are answered as their own flags are"},
		{names: "installer", short: "i", value: "PLUGIN", verbs: lineages, kind: harmless, why: "a note says that none is run, where no deploy hook is"},
		{names: "configurator", value: "PLUGIN", verbs: lineages, kind: harmless, why: "as --authenticator"},
		{names: "webroot", verbs: "certonly reconfigure"},
		{names: "webroot", verbs: "renew", kind: harmless, why: "the renewal file says how a name is proven"},
		{names: "webroot-path", short: "w", value: "DIR", verbs: "certonly renew reconfigure"},
		{names: "webroot-map", value: "JSON", verbs: "certonly renew reconfigure"},
		{names: "standalone", verbs: lineages},
		{names: "http-01-port", value: "PORT", verbs: lineages},
		{names: "http-01-address", value: "ADDRESS", verbs: lineages},
		{names: "manual", verbs: lineages},
		{names: "manual-auth-hook", value: "COMMAND", verbs: lineages},
		{names: "manual-cleanup-hook", value: "COMMAND", verbs: lineages},
		{names: "manual-public-ip-logging-ok", verbs: "*", kind: harmless, why: "nobody logs the address"},
		{names: "nginx", verbs: lineages, kind: refused, why: "The requested nginx plugin does not appear to be installed: " + server, use: useWebroot},
		{names: "apache", verbs: lineages, kind: refused, why: "The requested apache plugin does not appear to be installed: " + server, use: useWebroot},
		{names: "https-port", value: "PORT", verbs: "*", kind: harmless, why: "it is for certbot's nginx plugin"},
		{names: "checkpoints", value: "N"},
		{names: "init"}, {names: "prepare"}, {names: "authenticators"}, {names: "installers"},
	}
	for _, name := range []string{"redirect", "hsts", "uir", "staple-ocsp", "auto-hsts"} {
		rows = append(rows, row{names: name, verbs: orders, kind: refused, why: server, use: useServer, vainly: true})
	}
	for _, name := range []string{"no-redirect", "no-hsts", "no-uir", "no-staple-ocsp"} {
		rows = append(rows, row{names: name, verbs: "*", kind: harmless, why: server, takes: strings.TrimPrefix(name, "no-")})
	}
	return rows
}

// pluginOptions are flags of plugins that Orderly does not have: they mean something only with the plugin's own flag, which
// is refused.
func pluginOptions() []row {
	const alone = "it is for a plugin that would have to be asked for"
	var rows []row
	for _, name := range []string{"cloudflare", "digitalocean", "dnsimple", "dnsmadeeasy", "gehirn", "google", "linode", "luadns", "nsone", "ovh",
		"rfc2136", "route53", "sakuracloud"} {
		rows = append(rows,
			row{names: "dns-" + name, group: "dns-PLUGIN", verbs: lineages, kind: refused, why: "The requested dns-" + name + " plugin does not appear to be installed: Orderly talks to no DNS provider",
				use: "Use certonly --webroot -w DIR, or --manual --preferred-challenges dns --manual-auth-hook COMMAND, which a wildcard needs."},
			row{names: "dns-" + name + "-credentials", group: "dns-PLUGIN-credentials", value: "FILE", verbs: "*", kind: harmless, why: alone, newer: true},
			row{names: "dns-" + name + "-propagation-seconds", group: "dns-PLUGIN-propagation-seconds", value: "SECONDS", verbs: "*", kind: harmless, why: alone, newer: true})
	}
	for _, name := range []string{"apache-enmod", "apache-dismod", "apache-le-vhost-ext", "apache-server-root", "apache-vhost-root", "apache-logs-root",
		"apache-challenge-location", "apache-handle-modules", "apache-handle-sites", "apache-ctl", "apache-bin", "nginx-server-root", "nginx-ctl",
		"nginx-sleep-seconds"} {
		rows = append(rows, row{names: name, group: name[:strings.Index(name, "-")] + "-OPTION", value: "VALUE", verbs: "*", kind: harmless, why: alone, newer: true})
	}
	return rows
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
