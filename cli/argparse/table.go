package argparse

// The flags of certbot's about runs and about certificates themselves. Those about accounts and
// plugins are in plugins.go.

func flagsOfRuns() []row {
	const asks = "nothing is asked here"
	return []row{
		{names: "help", short: "h"},
		{names: "version"},
		{
			names: "config", short: "c", value: "FILE", verbs: "*", kind: harmless,
			why: "the file was read",
		},
		{
			names: "verbose", short: "v", verbs: "*", kind: harmless,
			why: "there is nothing more to say",
		},
		{
			names: "verbose-level", value: "LEVEL", verbs: "*", kind: harmless,
			why: "the log holds everything; -v shows it",
		},
		{names: "text", short: "t", verbs: "*", kind: harmless, why: "there is no other mode"},
		{names: "quiet", short: "q", verbs: "*", kind: harmless, why: "there is nothing to say"},
		{
			names: "non-interactive noninteractive", short: "n", verbs: "*", kind: harmless,
			why: asks,
		},
		{names: "force-interactive", verbs: "certonly register enhance install run"},
		{
			names: "force-interactive", verbs: "renew", kind: refused,
			why: "--force-interactive cannot be used with renew", use: "Leave it out.",
		},
		{names: "max-log-backups", value: "N", verbs: "*"},
		{
			names: "preconfigured-renewal", verbs: "*", kind: harmless,
			why: "certonly looks at what renews on this host, and says that",
		},
		{names: "debug", verbs: "*", kind: harmless, why: "the log holds everything"},
		{names: "debug-challenges", verbs: orders, kind: refused,
			why: "Orderly does not stop between placing a challenge and answering it",
			use: "Rehearse with --dry-run -v, which shows every step."},
		{names: "config-dir", value: "DIR", verbs: "*"},
		{names: "work-dir", value: "DIR", verbs: "*"},
		{names: "logs-dir", value: "DIR", verbs: "*"},
		{names: "strict-permissions", verbs: "*", kind: refused,
			why: "Orderly does not check who owns the files of the configuration",
			use: "Keep the configuration in a directory that root alone can write, and leave " +
				"--strict-permissions out."},
		{
			names: "os-packages-only", verbs: "*", kind: harmless,
			why: "nothing is installed by it any more",
		},
		{
			names: "no-self-upgrade", verbs: "*", kind: harmless,
			why: "Orderly never upgrades itself",
		},
		{
			names: "no-bootstrap", verbs: "*", kind: harmless,
			why: "nothing is installed by it any more",
		},
		{names: "no-permissions-check", verbs: "*", kind: harmless, why: "there is no such check"},
		{names: "dry-run", verbs: lineages},
		{names: "run-deploy-hooks", verbs: lineages, newer: true},
		{names: "pre-hook", value: "COMMAND", verbs: lineages},
		{names: "post-hook", value: "COMMAND", verbs: lineages},
		{names: "deploy-hook renew-hook", value: "COMMAND", verbs: lineages},
		{names: "disable-hook-validation", verbs: lineages},
		{names: "no-directory-hooks", verbs: orders, kind: harmless, why: "no hooks are run"},
		{names: "no-random-sleep-on-renew", verbs: "renew"},
		{
			names: "disable-renew-updates", verbs: "renew", kind: harmless,
			why: "Orderly changes no web server's configuration",
		},
		{
			names: "issuance-timeout", value: "SECONDS", verbs: lineages, kind: harmless,
			why: "an order that takes longer is continued by the next run",
		},
		{
			names: "user-agent", value: "TEXT", verbs: "*", kind: harmless,
			why: "it only changes what the CA counts",
		},
		{
			names: "user-agent-comment", value: "TEXT", verbs: "*", kind: harmless,
			why: "it only changes what the CA counts",
		},
	}
}

func flagsOfCertificates() []row {
	const byName = "Currently, the renew verb is capable of either renewing all installed " +
		"certificates that are due to be renewed or renewing a single certificate specified by " +
		"its name. If you would like to renew specific certificates by their domains, use the " +
		"certonly command instead"
	return []row{
		{names: "domain domains", short: "d", value: "NAME", verbs: "certonly certificates"},
		{names: "domain domains", short: "d", value: "NAME", verbs: "renew", kind: refused, why: byName,
			use: "Use --cert-name NAME, or certonly with -d.", vainly: true},
		{names: "domain domains", short: "d", value: "NAME", verbs: "reconfigure", kind: refused,
			why: "reconfigure cannot change the names of a certificate",
			use: "Use certonly --cert-name NAME -d …", vainly: true},
		{names: "ip-address", value: "ADDRESS", verbs: "certonly", newer: true},
		{names: "cert-name", value: "NAME", verbs: lineages + " certificates delete revoke"},
		{names: "cert-path", value: "FILE", verbs: "certonly revoke"},
		{names: "key-path", value: "FILE", verbs: "revoke"},
		{names: "fullchain-path", value: "FILE", verbs: "certonly"},
		{names: "chain-path", value: "FILE", verbs: "certonly"},
		{names: "csr", value: "FILE", verbs: "certonly"},
		{names: "expand", verbs: "certonly"},
		{
			names: "keep-until-expiring keep reinstall", verbs: "certonly", kind: harmless,
			why: "this is what happens anyway",
		},
		{names: "force-renewal renew-by-default", verbs: orders},
		{
			names: "renew-with-new-domains", verbs: "certonly", kind: harmless,
			why: "this is what happens anyway",
		},
		{names: "allow-subset-of-names", verbs: orders},
		{names: "duplicate", verbs: "certonly"},
		{names: "no-autorenew", verbs: lineages, takes: "autorenew", kind: refused,
			why: "Orderly's command does not change whether a lineage is renewed",
			use: "Write autorenew = False under [renewalparams] in its renewal file."},
		{names: "autorenew", verbs: lineages, takes: "no-autorenew", kind: refused,
			why: "Orderly's command does not change whether a lineage is renewed",
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
		{
			names: "break-my-certs", verbs: orders, kind: harmless,
			why: "--staging and --server do what they say without it",
		},
		{names: "reason", value: "REASON", verbs: "revoke"},
		{names: "delete-after-revoke", verbs: "revoke", takes: "no-delete-after-revoke"},
		{names: "no-delete-after-revoke", verbs: "revoke", takes: "delete-after-revoke"},
	}
}
