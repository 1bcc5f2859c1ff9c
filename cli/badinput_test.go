package cli_test

// Command lines that cannot be obeyed, and every word that is said of each.

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

// faulty is a command line that cannot be obeyed, and all that is said about it on stderr.
type faulty struct {
	name string
	args []string // DIR stands for the test's directory, with a document root in it called root
	// what is after `usage: orderly` in the first line, with exit code 2; "" for exit code 1
	usage  string
	error  string
	remedy string // "" with exit code 2: where the flags are listed
}

// said is the whole of stderr.
func (f faulty) said() string {
	text := "error: " + f.error + "\nremedy: "
	if f.usage == "" {
		return text + f.remedy + "\n"
	}
	command, _, _ := strings.Cut(f.usage, " [")
	command, _, _ = strings.Cut(command, " --")
	command = strings.TrimSuffix(command, " N")
	if f.remedy == "" {
		f.remedy = "`orderly" + command + " --help` lists the flags."
	}
	text += f.remedy + "\n"
	return "usage: orderly" + f.usage + "\n       orderly" + command + " --help lists the flags\n" +
		text
}

const (
	usageCertonly = " certonly --webroot -w DIR -d NAME [-d NAME …] [flags]"
	usageShow     = " order show N [flags]"
	giveNames     = "Give DNS names such as www.example.com."
)

func manyNames(count int) string {
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("n%d.example.com", i))
	}
	return strings.Join(names, ",")
}

func certonly(args ...string) []string { return append([]string{"certonly", "--webroot"}, args...) }

func named(name string, more ...string) []string {
	return append(certonly("-w", "DIR/root", "-d", name), more...)
}

// badFlags are faults of the command line itself.
func badFlags() []faulty {
	return []faulty{
		{"an unknown flag", certonly("--frobnicate"), usageCertonly, "orderly certonly: unknown flag: --frobnicate", ""},
		{"an unknown flag of renew", []string{"renew", "--frobnicate"}, " renew [--cert-name NAME] [flags]", "orderly renew: unknown flag: --frobnicate", ""},
		{"an unknown command", []string{"obtain", "--webroot"}, " [flags]", "there is no command orderly obtain", "`orderly --help` lists the commands."},
		{"a name without -d", named("a.example.com", "b.example.com"), usageCertonly, `orderly certonly takes no arguments, but "b.example.com" was given`, "Write flags before values, such as -d NAME."},
		{"a deadline that is none", named("a.example.com", "--deadline", "soon"), usageCertonly, "--deadline soon: not a time such as 90s or 10m", ""},
		{"a check that is none", named("a.example.com", "--skip-preflight", "luck"), usageCertonly, "--skip-preflight luck: there is no such check, only webroot, writable, dns, http, lineage", ""},
		{"no way to prove", []string{"certonly", "-d", "a.example.com"}, usageCertonly, "no way to prove the names is given: --webroot, --standalone or --manual", "Add --webroot -w DIR."},
		{"no webroot", certonly("-d", "a.example.com"), "", "Missing command line flag or config entry for this setting:\nInput the webroot for a.example.com:", "Add -w DIR, the directory that the web server serves for these names."},
		{"no name", certonly("-w", "DIR/root"), "", noNames, "Add -d NAME."},
		{"a missing webroot", certonly("-w", "DIR/none", "-d", "a.example.com"), "", "DIR/none does not exist or is not a directory", "Run `mkdir -p DIR/none`, or name another with -w."},
		{"a file as webroot", certonly("-w", "DIR/root/index.html", "-d", "a.example.com"), "", "DIR/root/index.html does not exist or is not a directory", "Name a directory with -w: the one that the web server serves for these names."},
		{"an empty webroot", certonly("-w", "", "-d", "a.example.com"), usageCertonly, "--webroot-path is empty", "Give it the directory that the web server serves."},
		{"a path below a file as webroot", certonly("-w", "DIR/root/index.html/x", "-d", "a.example.com"), "", "DIR/root/index.html/x does not exist or is not a directory", "Name a directory with -w: the one that the web server serves for these names."},
		{"a second webroot after an early name", certonly("-d", "a.example.com", "-w", "DIR/root", "-w", "DIR/root"), usageCertonly, "If you specify multiple webroot paths, one of them must precede all domain flags", ""},
		{"a path as name of the certificate", named("a.example.com", "--cert-name", "../x"), usageCertonly, "--cert-name ../x: not a name for a directory", ""},
		{"an e-mail address that is none", named("a.example.com", "-m", "nobody"), usageCertonly, "--email nobody: not an address", "Give an address such as admin@example.com, or several with commas between them."},
		{"a key type that is none", named("a.example.com", "--key-type", "dsa"), usageCertonly, "--key-type dsa: only ecdsa and rsa are known", "Give ecdsa or rsa."},
		{"a resolver that is none", named("a.example.com", "--resolver", "garbage"), usageCertonly, "--resolver garbage: not host:port", "Give a host and a port, such as 127.0.0.1:53."},
		{"no order to show", []string{"order", "show"}, usageShow, "orderly order show takes the number of an order, and nothing else", "`orderly order list --config-dir DIR/host/one/etc` has the numbers."},
		{"an order that is none", []string{"order", "show", "one"}, usageShow, "one is not the number of an order", "`orderly order list --config-dir DIR/host/one/etc` has the numbers."},
		{"an order that is not there", []string{"order", "show", "7"}, "", "there is no order 7 in this ledger", "`orderly order list --config-dir DIR/host/one/etc` has the numbers."},
	}
}

// noNames is what certbot says where no name is given.
const noNames = "Missing command line flag or config entry for this setting:\n" +
	"Please enter the domain name(s) you would like on your certificate (comma and/or space separated)\n\n(You can set this with the --domains flag)"

// badNames are names that no public CA certifies by http-01.
func badNames() []faulty {
	bad := func(name, why string) faulty {
		shown := strings.ReplaceAll(name, "\x1b", " ")
		return faulty{name, named(name), "", fmt.Sprintf("%q is not a name for a certificate: %s",
			shown, why), giveNames}
	}
	const letters = "it has characters other than letters, digits and hyphens"
	return []faulty{
		{"an empty name", named(" "), "", noNames, "Add -d NAME."},
		bad("a_b.example.com", letters),
		bad("a b.example.com", letters),
		bad("a\x1b[31m.example.com", letters),
		bad("localhost", "it has no dot"),
		{"192.0.2.1", named("192.0.2.1"), "", `"192.0.2.1" is an IP address, and no DNS name`, "Give it as --ip-address."},
		{"2001:db8::1", named("2001:db8::1"), "", `"2001:db8::1" is an IP address, and no DNS name`, "Give it as --ip-address."},
		bad("https://a.example.com/", "it looks like a URL"),
		bad("a..example.com", "two dots follow one another"),
		{"-a.example.com", certonly("-w", "DIR/root", "--domain=-a.example.com"), "", `"-a.example.com" is not a name for a certificate: a part of it begins or ends with a hyphen`, giveNames},
		bad("a.example.1", "its last part begins with a digit"),
		bad(strings.Repeat("a", 64)+".example.com", "a part of it is longer than 63 characters"),
		bad(strings.Repeat("a.", 125)+"example.com", "it is longer than 253 characters"),
		{"a wildcard", named("*.example.com"), "", `"*.example.com" is a wildcard, which no web server can prove (http-01)`, "List the names, or prove it by DNS: --manual --preferred-challenges dns --manual-auth-hook COMMAND."},
		{"101 names", named(manyNames(101)), "", "101 names are more than the 100 that fit into one certificate", "Split them over several certificates."},
	}
}

// badServers are faults of the account and the CA.
func badServers() []faulty {
	const nowhere = "https://127.0.0.1:1/dir"
	return []faulty{
		{"an account that is not there", named("a.example.com", "--server", nowhere, "--account", "0123"), "", "Account at DIR/host/one/etc/accounts/127.0.0.1:1/dir/0123 does not exist", "There is none of this CA on this host. Make one: `orderly register --agree-tos -m ADDRESS --server " + nowhere + " --config-dir DIR/host/one/etc --work-dir DIR/host/one/lib --logs-dir DIR/host/one/log`, and name it with --account."},
		{"no account and no consent", named("a.example.com", "--server", nowhere), "", "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags.", "Register one: add --agree-tos and -m ADDRESS or --register-unsafely-without-email."},
		{"a server without TLS", named("a.example.com", "--server", "http://192.0.2.1/dir", "--agree-tos", "-m", "a@example.com"), usageCertonly, `"http://192.0.2.1/dir" is not the URL of an ACME directory`, "Give the https URL of the CA's ACME directory with --server."},
		{"a server that is not there", named("a.example.com", "--server", nowhere, "--agree-tos", "-m", "a@example.com"), "", "no account could be made at " + nowhere + ": new-account was not sent: reading the directory " + nowhere + ": dial tcp 127.0.0.1:1: connect: connection refused", "Nothing listens at the CA's address: correct --server, or wait until the CA is up again."},
		{"a server that is a web server", named("a.example.com", "--server", "http://WEB/dir", "--agree-tos", "-m", "a@example.com"), "", "no account could be made at http://WEB/dir: new-account was not sent: reading the directory http://WEB/dir: 404: Not Found", "Correct --server, or wait until the CA is up again: `curl -sS http://WEB/dir` must print JSON that names newNonce, newAccount and newOrder."},
	}
}

func TestBadInputGetsOneSentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	w.write(filepath.Join(w.dir, "root", "index.html"), "x")
	// a site that is broken is told of before anything of the CA
	w.web.serve("a.example.com", filepath.Join(w.dir, "root"))
	web := fmt.Sprintf("127.0.0.1:%d", w.web.port)
	for _, list := range [][]faulty{badFlags(), badNames(), badServers()} {
		for _, f := range list {
			t.Run(f.name, func(t *testing.T) {
				var args []string
				for _, arg := range f.args {
					args = append(args, strings.NewReplacer("DIR", w.dir, "WEB", web).Replace(arg))
				}
				r := h.orderly(args...)
				code := 1
				if f.usage != "" {
					code = 2
				}
				said := strings.NewReplacer(w.dir, "DIR", web, "WEB").Replace(r.stderr)
				if r.code != code || said != f.said() || r.stdout != "" {
					t.Errorf("exit %d, stdout %q, and on stderr:\n%snot:\n%s", r.code, r.stdout, said,
						f.said())
				}
			})
		}
	}
	if n := w.requests(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// What can be understood is not refused: case, a dot at the end, commas, repetition, and names that
// are not ASCII.
func TestNamesAreUnderstoodAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := []string{"xn--bcher-kva.example.com", "www.example.com", "b.example.com"}
	h.must(h.certonly(w.site(names...), "Bücher.example.com,WWW.example.com.", "www.example.com",
		"B.EXAMPLE.COM")...)
	h.kept(1, names...)
}

// -d belongs to the -w before it.
func TestEveryNameHasItsOwnWebroot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	command := h.certonly(w.site("a.example.com", "www.a.example.com"), "a.example.com",
		"www.a.example.com")
	command = append(command, "-w", w.site("b.example.com"), "-d", "b.example.com")
	h.must(command...)
	h.kept(1, "a.example.com", "www.a.example.com", "b.example.com")
	h.must("renew", "--force-renewal")
	h.kept(2, "a.example.com", "www.a.example.com", "b.example.com")
}
