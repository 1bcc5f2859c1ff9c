package cli

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/order/drive"
	"orderly/preflight"
	"orderly/renewal"
	"orderly/solver/webroot"
)

// places are the flags that every command has: where things are and how it speaks.
type places struct {
	dirs           certbot.Dirs
	quiet          bool
	verbose        bool
	json           bool
	noninteractive bool
	forced         bool // --force-interactive
	dialogue       *dialogue
}

// addForced adds what makes certbot's questions be asked where no terminal is.
func (f *places) addForced(set *pflag.FlagSet) {
	set.BoolVar(&f.forced, "force-interactive", false, "ask also what is asked at a terminal alone")
}

// consistent refuses what certbot refuses of -n.
func (f *places) consistent() error {
	if f.forced && (f.noninteractive || f.quiet) {
		return failure.New(failure.Usage, "", "Flag for non-interactive mode and --force-interactive conflict")
	}
	return nil
}

func (f *places) add(set *pflag.FlagSet) {
	d := certbot.DefaultDirs()
	set.StringVar(&f.dirs.Config, "config-dir", d.Config, "certbot's configuration `directory`; the ledger is in its sub-directory orderly")
	set.StringVar(&f.dirs.Work, "work-dir", d.Work, "certbot's working `directory`")
	set.StringVar(&f.dirs.Logs, "logs-dir", d.Logs, "`directory` of orderly.log")
	set.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "print every step on stderr")
	set.BoolVar(&f.json, "json", false, "print the result as JSON on stdout")
	set.BoolVarP(&f.noninteractive, "non-interactive", "n", false, "never ask")
	alias(set, "noninteractive", "non-interactive")
}

// alias makes another spelling of a flag that certbot knows.
func alias(set *pflag.FlagSet, name, of string) {
	f := *set.Lookup(of)
	f.Name, f.Shorthand, f.Hidden = name, "", true
	set.AddFlag(&f)
}

// working are the flags of commands that talk to a CA.
type working struct {
	rehearsalFlags
	alone             bool // no other run may be at work
	deadline          time.Duration
	force             bool
	resolver          string
	port              int
	allow             []string
	skip              []string
	longestValidation time.Duration
	patience          int // seconds
	noDirectoryHooks  bool
}

// addDeadline adds what a command has that talks to a CA without ordering or checking anything.
func (f *working) addDeadline(set *pflag.FlagSet) {
	f.port = 80
	set.DurationVar(&f.deadline, "deadline", 0, "end after this `time` (such as 90s) with exit code 75; the next run goes on")
}

func (f *working) add(set *pflag.FlagSet, getenv func(string) string) {
	f.addDeadline(set)
	set.BoolVar(&f.force, "force", false, "a person insists: ignore back-off, holds and refusals on network grounds")
	set.StringVar(&f.resolver, "resolver", getenv("ORDERLY_RESOLVER"), "DNS server, `host:port`, that preflight asks (ORDERLY_RESOLVER)")
	set.IntVar(&f.port, "preflight-port", environmentPort(getenv), "`port` of the web server as the CA sees it (ORDERLY_PREFLIGHT_PORT)")
	set.StringSliceVar(&f.allow, "preflight-allow", nil, "`networks` beside public ones that names may point to (CIDR)")
	set.StringSliceVar(&f.skip, "skip-preflight", nil, "`checks` to leave out: "+strings.Join(checks(), ", "))
	set.DurationVar(&f.longestValidation, "longest-validation", 0,
		"how long this CA may validate a name: `time` after which an unanswered challenge is sent again (default: 60s)")
	set.IntVar(&f.patience, "issuance-timeout", int(drive.DefaultPatience/time.Second),
		"`seconds` for which the CA is waited for without anything changing; the next run goes on with the order")
	set.BoolVar(&f.noDirectoryHooks, "no-directory-hooks", false, "do not run the hooks in CONFIG/renewal-hooks")
}

func environmentPort(getenv func(string) string) int {
	if port, err := strconv.Atoi(getenv("ORDERLY_PREFLIGHT_PORT")); err == nil {
		return port
	}
	return 80
}

func checks() []string {
	return append(preflight.Checks(), host.LineageCheck)
}

// settings checks the flags and turns them into the server's.
func (f *working) settings(getenv func(string) string) (renewal.Settings, error) {
	s := renewal.Settings{Force: f.force, LongestValidation: f.longestValidation, Patience: time.Duration(f.patience) * time.Second,
		Settings: host.Settings{Resolver: f.resolver, PreflightPort: f.port, SkipPreflight: map[string]bool{},
			DirectoryHooks: !f.noDirectoryHooks, Rehearsal: f.dryRun, RunDeployHooks: f.runDeployHooks}}
	if f.port < 1 || f.port > 65535 {
		return s, failure.New(failure.Usage, "", "--preflight-port %d: not a port", f.port)
	}
	if text := getenv("ORDERLY_PREFLIGHT_PORT"); text != "" {
		if _, err := strconv.Atoi(text); err != nil {
			return s, failure.New(failure.Usage, "", "ORDERLY_PREFLIGHT_PORT=%s: not a port", failure.Clean(text))
		}
	}
	if _, _, err := net.SplitHostPort(f.resolver); f.resolver != "" && err != nil {
		return s, failure.New(failure.Usage, "", "--resolver %s: not host:port", failure.Clean(f.resolver))
	}
	for _, text := range f.allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return s, failure.New(failure.Usage, "", "--preflight-allow %s: not a network such as 10.0.0.0/8", failure.Clean(text))
		}
		s.PreflightAllow = append(s.PreflightAllow, prefix)
	}
	for _, name := range f.skip {
		if !slices.Contains(checks(), name) {
			return s, failure.New(failure.Usage, "", "--skip-preflight %s: there is no such check, only %s", failure.Clean(name), strings.Join(checks(), ", "))
		}
		s.SkipPreflight[name] = true
	}
	if f.patience < 0 {
		return s, failure.New(failure.Usage, "", "argument --issuance-timeout: value must be non-negative")
	}
	if f.deadline < 0 || f.longestValidation < 0 {
		return s, failure.New(failure.Usage, "", "--deadline and --longest-validation take a positive time such as 90s")
	}
	return s, nil
}

// roots collects -w and -d in the order in which they stand: as with certbot, -d belongs to the -w before it.
type roots struct {
	paths  []string
	names  []string        // as typed
	ips    map[string]bool // those of names that came as --ip-address
	mapped map[string]string
	early  bool // a -d stood before the first -w
}

type pathValue struct{ r *roots }

// Set implements pflag.Value. certbot checks the directory here, before anything else happens. A comma belongs to the
// path: only -d takes lists.
func (v pathValue) Set(text string) error { return v.r.addPath(text) }

func (r *roots) addPath(text string) error {
	if text == "" { // a script's variable that is not set; it would mean the directory where the script runs
		return failure.New(failure.Usage, "Give it the directory that the web server serves.", "--webroot-path is empty")
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return err
	}
	if len(r.paths) > 0 && r.early {
		return failure.New(failure.Usage, "", "If you specify multiple webroot paths, one of them must precede all domain flags")
	}
	r.settle()
	r.paths = append(r.paths, path)
	return nil
}

// mustBeThere refuses a document root of the command line that is no directory.
func (r *roots) mustBeThere(ctx context.Context, s *session) error {
	for _, path := range slices.Compact(slices.Sorted(slices.Values(append(slices.Collect(maps.Values(r.mapped)), r.paths...)))) {
		if err := s.documentRoot(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// documentRoot says, in certbot's words, if a path is no directory. Only the writer's helpers touch one: it may be on a file
// system that does not answer.
func (s *session) documentRoot(ctx context.Context, path string) error {
	_, err := s.server.Writer.Inspect(ctx, path)
	switch failure.ClassOf(err) {
	case failure.WebrootGone:
		mend, _, _ := strings.Cut(failure.RemedyOf(err), ", or name the right one") // which is here the flag itself
		mend = strings.TrimSuffix(mend, ".") + ", or name another with -w."
		if strings.HasPrefix(mend, webroot.InItsPlace) { // a path just typed is a slip: what stands there stays
			mend = "Name a directory with -w: the one that the web server serves for these names."
		}
		return failure.New(failure.WebrootGone, mend, "%s does not exist or is not a directory", failure.Clean(path))
	case failure.Stopped:
		return err
	}
	return nil // what else is wrong with it preflight says
}

// settle gives the names so far the last -w before them.
func (r *roots) settle() {
	if len(r.paths) == 0 {
		r.early = len(r.names) > 0
		return
	}
	for _, name := range r.names {
		if _, ok := r.mapped[name]; !ok {
			r.mapped[name] = r.paths[len(r.paths)-1]
		}
	}
}

// String implements pflag.Value.
func (v pathValue) String() string {
	if v.r == nil {
		return ""
	}
	return strings.Join(v.r.paths, ",")
}

// Type implements pflag.Value.
func (v pathValue) Type() string { return "directory" }

type addressValue struct{ r *roots }

// Set implements pflag.Value.
func (v addressValue) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		address, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil || address.Zone() != "" {
			return failure.New(failure.BadName, "Give an address such as 192.0.2.1 or 2001:db8::1.", "--ip-address %s: not an IP address", failure.Clean(part))
		}
		v.r.ips[address.String()] = true
		v.r.names = append(v.r.names, address.String())
	}
	return nil
}

// String implements pflag.Value.
func (addressValue) String() string { return "" }

// Type implements pflag.Value.
func (addressValue) Type() string { return "address" }

// name is a name as it is ordered.
func (r *roots) name(typed string) (string, error) {
	if r.ips[typed] {
		return typed, nil
	}
	return dnsName(typed)
}

type nameValue struct{ r *roots }

// Set implements pflag.Value.
func (v nameValue) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			v.r.names = append(v.r.names, part)
		}
	}
	return nil
}

// String implements pflag.Value.
func (v nameValue) String() string {
	if v.r == nil {
		return ""
	}
	return strings.Join(v.r.names, ",")
}

// Type implements pflag.Value.
func (v nameValue) Type() string { return "name" }

func (r *roots) add(set *pflag.FlagSet) {
	r.addPaths(set, "document root of the names that follow; repeat for others")
	set.VarP(nameValue{r}, "domain", "d", "DNS `name`; repeat, or separate by commas; the first one names the certificate")
	alias(set, "domains", "domain")
	set.Var(addressValue{r}, "ip-address", "IP `address` to be in the certificate; repeat, or separate by commas")
}

// addPaths adds the flags for document roots.
func (r *roots) addPaths(set *pflag.FlagSet, usage string) {
	r.mapped, r.ips = map[string]string{}, map[string]bool{}
	set.VarP(pathValue{r}, "webroot-path", "w", usage)
	set.Var(mapValue{r}, "webroot-map", "document roots as `JSON`, {\"NAME,NAME\": \"DIR\"}; it counts more than -w, and its names need no -d")
}

// webroots gives every name its document root; nothing for a name that has none.
func (r *roots) webroots(names map[string]string) map[string]string {
	r.settle()
	out := map[string]string{}
	for _, typed := range r.names {
		if root := r.mapped[typed]; root != "" {
			out[names[typed]] = root
		}
	}
	return out
}
