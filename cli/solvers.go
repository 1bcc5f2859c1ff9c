package cli

// How names are to be proven, by certbot's flags. What cannot be is refused here, before an account
// is looked for.

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
)

// proofFlags are certbot's switches about how names are proven; what else is said of that is said
// at once. -a is turned into the switch of its plugin before they are read.
type proofFlags struct{ standalone, manual bool }

func (f *proofFlags) add(set *pflag.FlagSet, p *host.Proof) {
	set.BoolVar(&f.standalone, "standalone", false,
		"prove the names through a web server of this run's own; nothing else may listen on its port")
	addNumber(set, &p.Port, "http-01-port", 80,
		"`port` on which --standalone listens; the CA comes to port 80, which must lead there")
	addText(set, &p.Address, "http-01-address",
		"`address` on which --standalone listens (default: every one, IPv4 and IPv6)")
	set.BoolVar(&f.manual, "manual", false,
		"prove the names by commands of your own: --manual-auth-hook")
	addText(set, &p.Auth, "manual-auth-hook",
		"shell `command` that puts in place what the CA looks "+
			"for, told by CERTBOT_DOMAIN, CERTBOT_VALIDATION, CERTBOT_TOKEN (http-01)")
	addText(set, &p.Cleanup, "manual-cleanup-hook",
		"shell `command` that takes it away, told the same and CERTBOT_AUTH_OUTPUT")
	addText(set, &p.WebrootFrom, "webroot-from",
		"shell `command` that prints the document root of "+
			"the name it is given, or a path with {domain} in it: asked with every order, what is known "+
			"otherwise (-w, the renewal file) serves only when it fails; kept in the renewal file")
	addText(set, &p.Challenges, "preferred-challenges",
		"`list` of http, dns: how names are proven; "+
			"--manual can do both, and a wildcard takes dns")
}

// decide completes what was said of proofs with the switches. webroot says that document roots were
// asked for. Hooks that cannot be found are refused where they are checked.
func (f *proofFlags) decide(p *host.Proof, webroot, unchecked bool,
	getenv func(string) string) error {
	way, err := f.solver(webroot)
	if err != nil {
		return err
	}
	if way != "" {
		p.Solver = host.Say(way)
	}
	if err := host.CheckWebrootFrom(p.WebrootFrom.Is(), getenv); err != nil {
		return err
	}
	list, err := challengeList(p.Challenges.Is())
	if err != nil {
		return err
	}
	if p.Challenges = (host.Value[string]{}); list != "" {
		p.Challenges = host.Say(list)
	}
	if err := listens(*p); err != nil || unchecked {
		return err
	}
	if err := host.CheckHook("manual-auth-hook", p.Auth.Is(), getenv); err != nil {
		return err
	}
	return host.CheckHook("manual-cleanup-hook", p.Cleanup.Is(), getenv)
}

// solver is the one way to prove names that was asked for, "" where none was.
func (f *proofFlags) solver(webroot bool) (string, error) {
	way := ""
	for _, w := range []struct {
		name  string
		asked bool
	}{{host.StandaloneSolver, f.standalone}, {host.WebrootSolver, webroot},
		{host.ManualSolver, f.manual}} {
		switch {
		case !w.asked:
		case way != "":
			return "", failure.New(failure.Config, "Leave one of them out.",
				"Too many flags setting configurators/installers/authenticators '%s' -> '%s'", way,
				w.name)
		default:
			way = w.name
		}
	}
	return way, nil
}

// listens refuses a port or an address on which --standalone cannot listen.
func listens(p host.Proof) error {
	port, address := p.Port.Is(), p.Address.Is()
	if p.Port.Said() && (port < 1 || port > 65535) {
		return failure.New(failure.Usage, "", "--http-01-port %d: not a port", port)
	}
	if strings.ContainsAny(address, " /[]") || strings.Contains(address, ":") && !isAddress(address) {
		return failure.New(failure.Usage, "Give the address alone, without a port.",
			"--http-01-address %s: not an address", failure.Clean(address))
	}
	return nil
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// challengeList reads a comma list of challenges in order of preference, as certbot does; "" for
// none.
func challengeList(text string) (string, error) {
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		name := strings.TrimSpace(part)
		switch name {
		case "":
			continue
		case "http", "dns":
			name += "-01"
		case ledger.HTTP01, ledger.DNS01:
		default:
			return "", failure.New(failure.Usage, "Only http and dns are known.",
				"argument --preferred-challenges: Unrecognized challenges: %s", failure.Clean(name))
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ","), nil
}

// needs refuses a way to prove names that certonly cannot go by itself.
func needs(p host.Proof) error {
	switch {
	case !p.Solver.Said():
		return failure.New(failure.Usage, "Add --webroot -w DIR.",
			"no way to prove the names is given: --webroot, --standalone or --manual")
	case p.Solver.Is() == host.ManualSolver && !p.Auth.Said():
		return failure.New(failure.Config,
			"Name the command that proves a name; nobody is asked to do it by hand.",
			"An authentication script must be provided with --manual-auth-hook when using the "+
				"manual plugin non-interactively.")
	}
	return nil
}

// suits refuses names that cannot be proven the way that was asked for, before anything is looked
// at.
func suits(p host.Proof, names []string) error {
	r := host.Request{Payload: host.Payload{Solver: p.Solver.Is(),
		Manual: host.Manual{Challenge: p.Challenges.Is()}}}
	for _, name := range names {
		wildcard := strings.HasPrefix(name, "*.")
		switch {
		case host.ChallengeType(r, wildcard) != "":
		case wildcard && p.Solver.Is() == host.ManualSolver:
			return failure.New(failure.BadName, "Add dns to --preferred-challenges.",
				"%q is a wildcard, which only a DNS record can prove (dns-01)", failure.Clean(name))
		case wildcard:
			return failure.New(failure.BadName,
				"List the names, or prove it by DNS: --manual --preferred-challenges dns "+
					"--manual-auth-hook COMMAND.",
				"%q is a wildcard, which no web server can prove (http-01)", failure.Clean(name))
		default:
			return failure.New(failure.Config,
				"Change --preferred-challenges, or use --manual with --manual-auth-hook.",
				"None of the preferred challenges are supported by the selected plugin")
		}
	}
	return nil
}

// validationHint is certbot's hint for names that the CA could not validate, by how they were to be
// proven.
func validationHint(r host.Request) string {
	switch r.Solver {
	case host.StandaloneSolver:
		port := r.Standalone.Port
		if port == 0 {
			port = 80
		}
		return fmt.Sprintf("The Certificate Authority failed to download the challenge files "+
			"from the temporary standalone webserver started by Certbot on port %d. Ensure that "+
			"the listed domains point to this machine and that it can accept inbound "+
			"connections from the internet.", port)
	case host.ManualSolver:
		return "The Certificate Authority failed to verify what was created by the " +
			"--manual-auth-hook. Ensure that this hook is functioning correctly and, for DNS TXT " +
			"records, that it waits a sufficient duration of time for DNS propagation."
	}
	return "The Certificate Authority failed to download the temporary challenge files. " +
		"Ensure that the listed domains serve their content from the provided --webroot-path/-w " +
		"and that files created there can be downloaded from the internet."
}

// solverName is certbot's name of how a request proves its names.
func solverName(r host.Request) string {
	if r.Solver == "" {
		return host.WebrootSolver
	}
	return r.Solver
}
