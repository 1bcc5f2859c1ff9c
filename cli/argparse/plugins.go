package argparse

// The flags of certbot's about accounts and about plugins: those of its own plugins mean something,
// those that change web servers and those that talk to DNS providers are refused with what to use
// instead.

import "strings"

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
		{
			names: "no-eff-email", verbs: founding + " update_account", takes: "eff-email",
			kind: harmless, why: "Orderly passes no address on",
		},
		{names: "eab-kid", value: "ID", verbs: founding},
		{names: "eab-hmac-key", value: "KEY", verbs: founding},
		{names: "eab-hmac-alg", value: "ALGORITHM", verbs: founding, newer: true},
		{names: "no-verify-ssl", verbs: accounts, kind: refused,
			why: "Orderly never talks to a CA whose certificate it cannot verify",
			use: "Put the CA's root certificate into a file and name it in SSL_CERT_FILE."},
	}
}

// What to use instead of what Orderly does not do.
const (
	useWebroot = "Use certonly --webroot -w DIR -d NAME, and --deploy-hook 'systemctl reload " +
		"nginx' (or whatever server it is) to load the certificate."
	useServer = "Configure it in the web server."
	useHook   = "Use --deploy-hook 'systemctl reload nginx' (or whatever server it is)."
)

func flagsOfPlugins() []row {
	const server = "Orderly does not change web servers' configuration"
	rows := []row{
		{
			names: "authenticator", short: "a", value: "PLUGIN", verbs: lineages, kind: harmless,
			why: "PLUGIN webroot means --webroot; others are answered as their own flags are",
		},
		{
			names: "installer", short: "i", value: "PLUGIN", verbs: lineages, kind: harmless,
			why: "a note says that none is run, where no deploy hook is",
		},
		{
			names: "configurator", value: "PLUGIN", verbs: lineages, kind: harmless,
			why: "as --authenticator",
		},
		{names: "webroot", verbs: "certonly reconfigure"},
		{
			names: "webroot", verbs: "renew", kind: harmless,
			why: "the renewal file says how a name is proven",
		},
		{names: "webroot-path", short: "w", value: "DIR", verbs: "certonly renew reconfigure"},
		{names: "webroot-map", value: "JSON", verbs: "certonly renew reconfigure"},
		{names: "standalone", verbs: lineages},
		{names: "http-01-port", value: "PORT", verbs: lineages},
		{names: "http-01-address", value: "ADDRESS", verbs: lineages},
		{names: "manual", verbs: lineages},
		{names: "manual-auth-hook", value: "COMMAND", verbs: lineages},
		{names: "manual-cleanup-hook", value: "COMMAND", verbs: lineages},
		{
			names: "manual-public-ip-logging-ok", verbs: "*", kind: harmless,
			why: "nobody logs the address",
		},
		{
			names: "nginx", verbs: lineages, kind: refused,
			why: "The requested nginx plugin does not appear to be installed: " + server,
			use: useWebroot,
		},
		{
			names: "apache", verbs: lineages, kind: refused,
			why: "The requested apache plugin does not appear to be installed: " + server,
			use: useWebroot,
		},
		{
			names: "https-port", value: "PORT", verbs: "*", kind: harmless,
			why: "it is for certbot's nginx plugin",
		},
		{names: "checkpoints", value: "N"},
		{names: "init"}, {names: "prepare"}, {names: "authenticators"}, {names: "installers"},
	}
	for _, name := range []string{"redirect", "hsts", "uir", "staple-ocsp", "auto-hsts"} {
		rows = append(rows, row{names: name, verbs: orders, kind: refused, why: server, use: useServer,
			vainly: true})
	}
	for _, name := range []string{"no-redirect", "no-hsts", "no-uir", "no-staple-ocsp"} {
		rows = append(rows, row{names: name, verbs: "*", kind: harmless, why: server,
			takes: strings.TrimPrefix(name, "no-")})
	}
	return rows
}

// pluginOptions are flags of plugins that Orderly does not have: they mean something only with the
// plugin's own flag, which is refused.
func pluginOptions() []row {
	const alone = "it is for a plugin that would have to be asked for"
	var rows []row
	for _, name := range []string{"cloudflare", "digitalocean", "dnsimple", "dnsmadeeasy", "gehirn",
		"google", "linode", "luadns", "nsone", "ovh",
		"rfc2136", "route53", "sakuracloud"} {
		rows = append(rows,
			row{names: "dns-" + name, group: "dns-PLUGIN", verbs: lineages, kind: refused,
				why: "The requested dns-" + name +
					" plugin does not appear to be installed: Orderly talks to no DNS provider",
				use: "Use certonly --webroot -w DIR, or --manual --preferred-challenges dns " +
					"--manual-auth-hook COMMAND, which a wildcard needs."},
			row{
				names: "dns-" + name + "-credentials", group: "dns-PLUGIN-credentials",
				value: "FILE", verbs: "*", kind: harmless, why: alone, newer: true,
			},
			row{
				names: "dns-" + name + "-propagation-seconds",
				group: "dns-PLUGIN-propagation-seconds", value: "SECONDS", verbs: "*",
				kind: harmless, why: alone, newer: true,
			})
	}
	for _, name := range []string{"apache-enmod", "apache-dismod", "apache-le-vhost-ext",
		"apache-server-root", "apache-vhost-root", "apache-logs-root",
		"apache-challenge-location", "apache-handle-modules", "apache-handle-sites", "apache-ctl",
		"apache-bin", "nginx-server-root", "nginx-ctl",
		"nginx-sleep-seconds"} {
		rows = append(rows, row{names: name, group: name[:strings.Index(name, "-")] + "-OPTION",
			value: "VALUE", verbs: "*", kind: harmless, why: alone, newer: true})
	}
	return rows
}
