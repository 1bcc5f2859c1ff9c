package cli

// What is to be done about an error is known where it arises; how that is typed is known here. An
// engine that spelled out flags would name some that are gone, or that its caller does not have.

import (
	"strings"

	"orderly/failure"
)

// fixedSteps are the steps that are typed the same whatever they are done to.
func fixedSteps() map[failure.Step]string {
	return map[failure.Step]string{
		failure.Resume:       "`orderly resume`",
		failure.ShowLimits:   "`orderly limits`",
		failure.DrainPending: "`orderly pending drain`",
		failure.PriceRelease: "`orderly pending release --all --dry-run`",
		failure.Insist:       "--force",
		failure.OtherCA:      "--server",
		failure.OtherAccount: "--account",
		failure.GiveNames:    "-d",
		failure.DocumentRoot: "-w DIR",
		failure.OwnPort:      "--http-01-port",
		failure.ProveByDNS: "--manual --preferred-challenges dns with " +
			"--manual-auth-hook",
	}
}

// commandLine is a step as it is typed at a prompt. A ledger may hold one that a later version
// made, and that this one does not know: it is shown by its name, which is better than a sentence
// with a gap.
func commandLine(step failure.Step, args []string) string {
	if words, ok := fixedSteps()[step]; ok {
		return words
	}
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch step {
	case failure.ShowOrder:
		return failure.Command("orderly", "order", "show", arg(0))
	case failure.Unpause:
		return failure.Command(append([]string{"orderly", "unpause"}, args...)...)
	case failure.ChangeAccountKey:
		return failure.Command("orderly", "update_account", "--change-account-key",
			"--server", arg(0), "--account", arg(1))
	case failure.AnotherKey:
		return failure.Command(append([]string{"orderly", "renew", "--cert-name", arg(0),
			"--force-renewal"}, keyFlags(args[min(1, len(args)):])...)...)
	case failure.OfKey:
		return strings.Join(keyFlags(args), " ")
	}
	return failure.Clean(strings.Join(append([]string{string(step)}, args...), " "))
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
