package cli

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

// proofFlags are certbot's flags about how names are proven, beside those of document roots. -a is turned into the switch
// of its plugin before they are read.
type proofFlags struct {
	standalone, manual bool
	port               int
	address            string
	auth, cleanup      string
	challenges         string
	from               string
	set                *pflag.FlagSet
}

func (f *proofFlags) add(set *pflag.FlagSet) {
	f.set = set
	set.BoolVar(&f.standalone, "standalone", false, "prove the names through a web server of this run's own; nothing else may listen on its port")
	set.IntVar(&f.port, "http-01-port", 80, "`port` on which --standalone listens; the CA comes to port 80, which must lead there")
	set.StringVar(&f.address, "http-01-address", "", "`address` on which --standalone listens (default: every one, IPv4 and IPv6)")
	set.BoolVar(&f.manual, "manual", false, "prove the names by commands of your own: --manual-auth-hook")
	set.StringVar(&f.auth, "manual-auth-hook", "", "shell `command` that puts in place what the CA looks for, told by CERTBOT_DOMAIN, CERTBOT_VALIDATION, CERTBOT_TOKEN (http-01)")
	set.StringVar(&f.cleanup, "manual-cleanup-hook", "", "shell `command` that takes it away, told the same and CERTBOT_AUTH_OUTPUT")
	set.StringVar(&f.from, "webroot-from", "", "shell `command` that prints the document root of the name it is given, or a path with {domain} in it: asked with every order, what is known otherwise (-w, the renewal file) serves only when it fails; kept in the renewal file")
	set.StringVar(&f.challenges, "preferred-challenges", "", "`list` of http, dns: how names are proven; --manual can do both, and a wildcard takes dns")
}

// proof is what the flags come to. webroot says that document roots were asked for. Hooks that cannot be found are refused
// where they are checked.
func (f *proofFlags) proof(webroot bool, hooks *hookFlags, getenv func(string) string) (host.Proof, error) {
	var p host.Proof
	var err error
	if p.Solver, err = f.solver(webroot); err != nil {
		return p, err
	}
	p.Manual, p.WebrootFrom = ledger.Manual{Auth: f.auth, Cleanup: f.cleanup}, f.from
	if err := host.CheckWebrootFrom(f.from, getenv); err != nil {
		return p, err
	}
	if p.Manual.Challenge, err = challengeList(f.challenges); err != nil {
		return p, err
	}
	if p.Standalone, err = f.place(); err != nil {
		return p, err
	}
	if hooks.unchecked {
		return p, nil
	}
	if err := host.CheckHook("manual-auth-hook", f.auth, getenv); err != nil {
		return p, err
	}
	return p, host.CheckHook("manual-cleanup-hook", f.cleanup, getenv)
}

// solver is the one way to prove names that was asked for, "" where none was.
func (f *proofFlags) solver(webroot bool) (string, error) {
	way := ""
	for _, w := range []struct {
		name  string
		asked bool
	}{{ledger.StandaloneSolver, f.standalone}, {ledger.WebrootSolver, webroot}, {ledger.ManualSolver, f.manual}} {
		switch {
		case !w.asked:
		case way != "":
			return "", failure.New(failure.Config, "Leave one of them out.",
				"Too many flags setting configurators/installers/authenticators '%s' -> '%s'", way, w.name)
		default:
			way = w.name
		}
	}
	return way, nil
}

// place is where --standalone listens; zero is what the renewal file says, and port 80.
func (f *proofFlags) place() (ledger.Standalone, error) {
	at := ledger.Standalone{Address: f.address}
	if f.set.Changed("http-01-port") {
		at.Port = f.port
	}
	if f.port < 1 || f.port > 65535 {
		return at, failure.New(failure.Usage, "", "--http-01-port %d: not a port", f.port)
	}
	if strings.ContainsAny(f.address, " /[]") || strings.Contains(f.address, ":") && !isAddress(f.address) {
		return at, failure.New(failure.Usage, "Give the address alone, without a port.", "--http-01-address %s: not an address", failure.Clean(f.address))
	}
	return at, nil
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// challengeList reads a comma list of challenges in order of preference, as certbot does; "" for none.
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
			return "", failure.New(failure.Usage, "Only http and dns are known.", "argument --preferred-challenges: Unrecognized challenges: %s", failure.Clean(name))
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return strings.Join(all, ","), nil
}

// needs refuses a way to prove names that certonly cannot go by itself.
func (f *proofFlags) needs(p host.Proof) error {
	switch {
	case p.Solver == "":
		return failure.New(failure.Usage, "Add --webroot -w DIR.", "no way to prove the names is given: --webroot, --standalone or --manual")
	case p.Solver == ledger.ManualSolver && p.Manual.Auth == "":
		return failure.New(failure.Config, "Name the command that proves a name; nobody is asked to do it by hand.",
			"An authentication script must be provided with --manual-auth-hook when using the manual plugin non-interactively.")
	}
	return nil
}

// suits refuses names that cannot be proven the way that was asked for, before anything is looked at.
func suits(p host.Proof, names []string) error {
	r := ledger.Request{Solver: p.Solver, Manual: p.Manual}
	for _, name := range names {
		wildcard := strings.HasPrefix(name, "*.")
		switch {
		case r.ChallengeType(wildcard) != "":
		case wildcard && p.Solver == ledger.ManualSolver:
			return failure.New(failure.BadName, "Add dns to --preferred-challenges.", "%q is a wildcard, which only a DNS record can prove (dns-01)", failure.Clean(name))
		case wildcard:
			return failure.New(failure.BadName, "List the names, or prove it by DNS: --manual --preferred-challenges dns --manual-auth-hook COMMAND.",
				"%q is a wildcard, which no web server can prove (http-01)", failure.Clean(name))
		default:
			return failure.New(failure.Config, "Change --preferred-challenges, or use --manual with --manual-auth-hook.",
				"None of the preferred challenges are supported by the selected plugin")
		}
	}
	return nil
}

// validationHint is certbot's hint for names that the CA could not validate, by how they were to be proven.
func validationHint(r ledger.Request) string {
	switch r.Solver {
	case ledger.StandaloneSolver:
		port := r.Standalone.Port
		if port == 0 {
			port = 80
		}
		return fmt.Sprintf("The Certificate Authority failed to download the challenge files from the temporary standalone webserver started by Certbot on port %d. Ensure that the listed domains point to this machine and that it can accept inbound connections from the internet.", port)
	case ledger.ManualSolver:
		return "The Certificate Authority failed to verify what was created by the --manual-auth-hook. Ensure that this hook is functioning correctly and, for DNS TXT records, that it waits a sufficient duration of time for DNS propagation."
	}
	return "The Certificate Authority failed to download the temporary challenge files. Ensure that the listed domains serve their content from the provided --webroot-path/-w and that files created there can be downloaded from the internet."
}

// solverName is certbot's name of how a request proves its names.
func solverName(r ledger.Request) string {
	if r.Solver == "" {
		return ledger.WebrootSolver
	}
	return r.Solver
}
