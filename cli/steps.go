package cli

// What is to be done about an error is known where it arises; how that is typed is known here. An
// engine that spelled out flags would name some that are gone, or that its caller does not have.

import (
	"slices"
	"strings"

	"orderly/failure"
)

// verbs are the steps that are done with a command of Orderly's, and its words; where there are
// arguments, typedArguments completes them.
func verbs() map[failure.Step][]string {
	return map[failure.Step][]string{
		failure.Resume:           {"resume"},
		failure.ShowOrder:        {"order", "show"},
		failure.ShowLimits:       {"limits"},
		failure.ShowSettings:     {"limits", "--help"},
		failure.ShowChannels:     {"digest", "--help"},
		failure.TestChannels:     {"digest", "--test"},
		failure.ListCertificates: {"certificates"},
		failure.ListRuns:         {"runs"},
		failure.ListKilledRuns:   {"runs", "--killed"},
		failure.RenewDue:         {"renew"},
		failure.DrainPending:     {"pending", "drain"},
		failure.ScanLogs:         {"pending", "scan"},
		failure.PriceRelease:     {"pending", "release", "--all", "--dry-run"},
		failure.GiveUp:           {"pending", "release", "--name"},
		failure.GiveUpHere:       {"pending", "release", "--local", "--name"},
		failure.Unpause:          {"unpause"},
		failure.AnotherKey:       {"renew"},
		failure.RenewNow:         {"renew"},
		failure.RenewWith:        {"renew"},
		failure.RenewAll:         {"renew", "--config-dir"},
		failure.ObtainFor:        {"certonly"},
		failure.ObtainAgain:      {"certonly"},
		failure.ObtainAt:         {"certonly"},
		failure.ObtainIn:         {"certonly"},
		failure.NameRoot:         {"reconfigure"},
		failure.SetDeployHook:    {"reconfigure"},
		failure.SetHook:          {"reconfigure"},
		failure.Examine:          {"doctor"},
		failure.Mend:             {"doctor"},
		failure.Delete:           {"delete", "--cert-name"},
		failure.Retire:           {"retire"},
		failure.Unretire:         {"retire", "--undo"},
		failure.Register:         {"register", "--agree-tos", "-m", "ADDRESS"},
		failure.ForgetAccount:    {"unregister"},
		failure.ChangeAccountKey: {"update_account", "--change-account-key"},
		failure.RebuildLedger:    {"ledger", "rebuild"},
		failure.AdoptLedger:      {"ledger", "adopt"},
	}
}

// flags are the steps that say something beside a command, and how that is typed.
func flags() map[failure.Step]string {
	return map[failure.Step]string{
		failure.Insist:            "--force",
		failure.OtherCA:           "--server",
		failure.OtherAccount:      "--account",
		failure.GiveAccountKey:    "--account-key",
		failure.GiveNames:         "-d",
		failure.NameCertificate:   "--cert-name",
		failure.CertificateFile:   "--cert-path",
		failure.ChainFile:         "--chain-path",
		failure.FullChainFile:     "--fullchain-path",
		failure.KeyFile:           "--key-path",
		failure.RequestFile:       "--csr",
		failure.KeyType:           "--key-type",
		failure.KeySize:           "--rsa-key-size",
		failure.Curve:             "--elliptic-curve",
		failure.KeepKey:           "--reuse-key",
		failure.ChangeKey:         "--no-reuse-key",
		failure.Expand:            "--expand",
		failure.Duplicate:         "--duplicate",
		failure.RenewUndue:        "--force-renewal",
		failure.WithoutDelay:      "--no-random-sleep-on-renew",
		failure.Deadline:          "--deadline",
		failure.DocumentRoot:      "-w",
		failure.UseRoot:           "--webroot -w",
		failure.RootFrom:          "--webroot-from",
		failure.OwnPort:           "--http-01-port",
		failure.OwnAddress:        "--http-01-address",
		failure.ProveBy:           "--preferred-challenges",
		failure.ProofHook:         "--manual-auth-hook",
		failure.ProofCleanup:      "--manual-cleanup-hook",
		failure.HookBefore:        "--pre-hook",
		failure.HookAfter:         "--post-hook",
		failure.UncheckedHooks:    "--disable-hook-validation",
		failure.SkipCheck:         "--skip-preflight",
		failure.AllowNetwork:      "--preflight-allow",
		failure.FleetAddresses:    "--addresses",
		failure.AskWebServers:     "--web",
		failure.Resolver:          "--resolver",
		failure.ContactAddress:    "-m",
		failure.NoContact:         "--register-unsafely-without-email",
		failure.AgreeTerms:        "--agree-tos",
		failure.CustomerID:        "--eab-kid",
		failure.CustomerKey:       "--eab-hmac-key",
		failure.CustomerAlgorithm: "--eab-hmac-alg",
		failure.Unverified:        "--no-verify-ssl",
		failure.ConfigDir:         "--config-dir",
		failure.WorkDir:           "--work-dir",
		failure.LogsDir:           "--logs-dir",
		failure.SettingsFile:      "-c",
		failure.Obtain:            "certonly",
	}
}

// commandLine is a step as it is typed at a prompt. A ledger may hold one that a later version
// made, and that this one does not know: it is shown by its name, which is better than a sentence
// with a gap.
func commandLine(step failure.Step, args []string) string {
	if verb, ok := verbs()[step]; ok {
		return command(slices.Concat([]string{"orderly"}, verb, typedArguments(step, args))...)
	}
	if flag, ok := flags()[step]; ok {
		if step == failure.Obtain && len(args) > 0 {
			args = []string{"--cert-name", args[0]}
		}
		return strings.TrimSuffix(flag+" "+string(failure.Shell(args...)), " ")
	}
	switch {
	case step == failure.OfKey:
		return strings.Join(keyFlags(args), " ")
	case step == failure.ProveByDNS && len(args) > 0:
		return "--manual --preferred-challenges dns --manual-auth-hook " +
			string(failure.Shell(args...))
	case step == failure.ProveByDNS:
		return "--manual --preferred-challenges dns with --manual-auth-hook"
	}
	return failure.Clean(strings.Join(append([]string{string(step)}, args...), " "))
}

// command is a command within a remedy: in backquotes. A first word of orderly becomes what the
// program was called as, and what that run was told beside is added (caller.pasted).
func command(words ...string) string { return "`" + string(failure.Shell(words...)) + "`" }

// typedArguments are the arguments of a step as they are typed behind its command.
func typedArguments(step failure.Step, args []string) []string {
	arg := func(i int, or string) string {
		if i < len(args) {
			return args[i]
		}
		return or
	}
	rest := args[min(1, len(args)):]
	switch step {
	case failure.AnotherKey, failure.RenewNow:
		return slices.Concat([]string{"--cert-name", arg(0, ""), "--force-renewal"}, keyFlags(rest))
	case failure.RenewWith:
		return slices.Concat([]string{"--cert-name", arg(0, "")}, keyFlags(rest))
	case failure.ObtainFor:
		return slices.Concat([]string{"--cert-name", arg(0, "")}, proving(arg(1, "")),
			each("-d", args[min(2, len(args)):]))
	case failure.ObtainAgain:
		return slices.Concat(typedArguments(failure.ObtainFor, rest), each("--server", args[:min(1, len(args))]))
	case failure.ObtainAt:
		at := []string{"--webroot", "-w", "DIR"}
		if lineage := arg(0, ""); lineage != "" {
			at = slices.Concat([]string{"--cert-name", lineage}, at)
		}
		return slices.Concat(at, each("-d", rest))
	case failure.ObtainIn:
		return slices.Concat([]string{"--webroot", "-w", arg(0, "DIR")}, each("-d", rest))
	case failure.NameRoot:
		return []string{"--cert-name", arg(0, "CERTIFICATE"), "--webroot", "-w", arg(1, "DIR")}
	case failure.SetDeployHook:
		return []string{"--cert-name", arg(0, ""), "--deploy-hook", arg(1, "")}
	case failure.SetHook:
		return []string{"--cert-name", arg(0, ""), "--" + arg(1, "deploy-hook"), arg(2, "COMMAND")}
	case failure.Mend:
		return slices.Concat([]string{"--fix=" + arg(0, ""), "-y"}, rest)
	case failure.Register:
		return each("--server", args)
	case failure.ChangeAccountKey:
		return []string{"--server", arg(0, ""), "--account", arg(1, "")}
	}
	return args
}

// proving is how certonly is told the way in which names are proven: a document root, or an
// authenticator. It takes none from the renewal file.
func proving(way string) []string {
	switch way {
	case "standalone", "manual":
		return []string{"--" + way}
	case "":
		way = "DIR"
	}
	return []string{"--webroot", "-w", way}
}

// each puts a flag before each value.
func each(flag string, values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, flag, value)
	}
	return all
}

// keyFlags are the flags that ask for a key.
func keyFlags(wanted []string) []string {
	var flags []string
	for _, one := range wanted {
		switch one {
		case failure.RSA2048:
			flags = append(flags, "--key-type", "rsa", "--rsa-key-size", "2048")
		case failure.P256:
			flags = append(flags, "--key-type", "ecdsa", "--elliptic-curve", "secp256r1")
		case failure.NewKey:
			flags = append(flags, "--new-key")
		case failure.Unstapled:
			flags = append(flags, "--no-must-staple")
		}
	}
	return flags
}
