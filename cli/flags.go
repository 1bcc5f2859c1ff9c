package cli

// The flags that commands share. Each is checked where it becomes a setting of the run, so that no
// command takes a value that another refuses.

import (
	"bufio"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"orderly/certbot"
	"orderly/failure"
	"orderly/hook"
	"orderly/host"
	"orderly/order/drive"
	"orderly/preflight"
	"orderly/renewal"
)

// places are the flags that every command has: where things are and how it speaks.
type places struct {
	dirs           certbot.Dirs
	quiet          bool
	verbose        bool
	json           bool
	noninteractive bool
	backups        int  // --max-log-backups
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
		return failure.New(failure.Usage, "",
			"Flag for non-interactive mode and --force-interactive conflict")
	}
	return nil
}

func (f *places) add(set *pflag.FlagSet) {
	d := certbot.DefaultDirs()
	set.StringVar(&f.dirs.Config, "config-dir", d.Config,
		"certbot's configuration `directory`; the ledger is in its sub-directory orderly")
	set.StringVar(&f.dirs.Work, "work-dir", d.Work, "certbot's working `directory`")
	set.StringVar(&f.dirs.Logs, "logs-dir", d.Logs, "`directory` of orderly.log")
	f.backups = defaultBackups
	set.Var((*backupsFlag)(&f.backups), "max-log-backups", "keep so `many` files beside orderly.log, "+
		"which is set aside as orderly.log.1 at 8 MiB; 0: it is never set aside, and grows")
	set.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but errors")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "print every step on stderr")
	set.BoolVar(&f.json, "json", false, "print the result as JSON on stdout")
	set.BoolVarP(&f.noninteractive, "non-interactive", "n", false, "never ask")
	alias(set, "noninteractive", "non-interactive")
}

// working are the flags of commands that talk to a CA.
type working struct {
	rehearsalFlags
	alone             bool // no other run may be at work
	beside            bool // certbot may be at work: nothing of its files is changed
	deadline          time.Duration
	force             bool
	resolver          string
	port              int
	allow             []string
	fleet             string // file of addresses
	skip              []string
	longestValidation time.Duration
	patience          int // seconds
	noDirectoryHooks  bool
	jobs              int
	checksJobs        bool   // the command has the flag
	deployOnce        string // the hook at the end of a round
}

// defaultJobs is how many certificates are worked on at once: as many as keep a CA busy that answers
// at once, and few enough that another one is not alarmed.
const defaultJobs = 8

// addJobs adds what a command has that works on many certificates.
func (f *working) addJobs(set *pflag.FlagSet) {
	f.jobs = defaultJobs
	set.Var((*jobsFlag)(&f.jobs), "jobs", "so `many` certificates at once; whoever waits for the "+
		"CA, a lock or a hook's turn makes room for another. 1: one after the other")
	f.checksJobs = true
}

// mostJobs bounds --jobs: more is a slip of the finger.
const mostJobs = 10_000

// jobsFlag is a number as certbot's parser reads one: 08 is eight, and blanks around it are nothing.
type jobsFlag int

// Set implements pflag.Value.
func (f *jobsFlag) Set(text string) error {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if n > mostJobs { // also one that no machine counts to
		return failure.New(failure.Usage, "Give a number from 1 on, such as --jobs 8.",
			"--jobs %s: more than %d certificates at once", failure.Clean(text), mostJobs)
	}
	*f = jobsFlag(n)
	if errors.Is(err, strconv.ErrRange) {
		return nil // far below nothing, of which settings says so
	}
	return err
}

// String implements pflag.Value.
func (f *jobsFlag) String() string { return strconv.Itoa(int(*f)) }

// Type implements pflag.Value.
func (*jobsFlag) Type() string { return "int" }

// addDeadline adds what a command has that talks to a CA without ordering or checking anything.
func (f *working) addDeadline(set *pflag.FlagSet) {
	f.port = 80
	set.DurationVar(&f.deadline, "deadline", 0,
		"end after this `time` (such as 90s) with exit code 75; the next run goes on")
}

func (f *working) add(set *pflag.FlagSet, getenv func(string) string) {
	f.addDeadline(set)
	set.BoolVar(&f.force, "force", false,
		"a person insists: ignore back-off, holds and refusals on network grounds")
	f.addNetwork(set, getenv)
	set.StringSliceVar(&f.skip, "skip-preflight", nil,
		"`checks` to leave out: "+strings.Join(checks(), ", "))
	set.DurationVar(&f.longestValidation, "longest-validation", 0,
		"how long this CA may validate a name: `time` after which an unanswered challenge is "+
			"sent again (default: 60s)")
	set.IntVar(&f.patience, "issuance-timeout", int(drive.DefaultPatience/time.Second),
		"`seconds` for which the CA is waited for without anything changing; the next run goes "+
			"on with the order")
	set.BoolVar(&f.noDirectoryHooks, "no-directory-hooks", false,
		"do not run the hooks in CONFIG/renewal-hooks")
}

// addNetwork adds what a command has that looks at names as the CA does.
func (f *working) addNetwork(set *pflag.FlagSet, getenv func(string) string) {
	set.StringVar(&f.resolver, "resolver", getenv("ORDERLY_RESOLVER"),
		"DNS server, `host:port`, that preflight asks (ORDERLY_RESOLVER)")
	set.IntVar(&f.port, "preflight-port", environmentPort(getenv),
		"`port` of the web server as the CA sees it (ORDERLY_PREFLIGHT_PORT)")
	set.StringSliceVar(&f.allow, "preflight-allow", nil,
		"`networks` beside public ones that names may point to (CIDR)")
}

// addAddresses adds what a command has that says where names lead.
func (f *working) addAddresses(set *pflag.FlagSet) {
	set.StringVar(&f.fleet, "addresses", "",
		"`file` of addresses and networks that lead to this host or its fleet, one a line: a name "+
			"that points to none of them, and is not served, has moved away")
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
	s := renewal.Settings{Force: f.force, LongestValidation: f.longestValidation,
		Patience: time.Duration(f.patience) * time.Second, Jobs: f.jobs,
		Settings: host.Settings{Resolver: f.resolver, PreflightPort: f.port,
			SkipPreflight:  map[string]bool{},
			DirectoryHooks: !f.noDirectoryHooks, Rehearsal: f.dryRun,
			RunDeployHooks: f.runDeployHooks, DeployOnce: f.deployOnce, Waiter: hook.Waiter(getenv)}}
	if f.checksJobs && f.jobs < 1 {
		return s, failure.New(failure.Usage, "Give a number from 1 on, such as --jobs 8.",
			"--jobs %d: nothing would be done", f.jobs)
	}
	if f.port < 1 || f.port > 65535 {
		return s, failure.New(failure.Usage, "", "--preflight-port %d: not a port", f.port)
	}
	if text := getenv("ORDERLY_PREFLIGHT_PORT"); text != "" {
		if _, err := strconv.Atoi(text); err != nil {
			return s, failure.New(failure.Usage, "", "ORDERLY_PREFLIGHT_PORT=%s: not a port",
				failure.Clean(text))
		}
	}
	if _, _, err := net.SplitHostPort(f.resolver); f.resolver != "" && err != nil {
		return s, failure.New(failure.Usage,
			"Give a host and a port, such as 127.0.0.1:53.", "--resolver %s: not host:port",
			failure.Clean(f.resolver))
	}
	for _, text := range f.allow {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return s, failure.New(failure.Usage, "",
				"--preflight-allow %s: not a network such as 10.0.0.0/8", failure.Clean(text))
		}
		s.PreflightAllow = append(s.PreflightAllow, prefix)
	}
	if f.fleet != "" {
		fleet, err := fleetAddresses(f.fleet)
		if err != nil {
			return s, err
		}
		s.Fleet = fleet
	}
	for _, name := range f.skip {
		if !slices.Contains(checks(), name) {
			return s, failure.New(failure.Usage, "",
				"--skip-preflight %s: there is no such check, only %s", failure.Clean(name),
				strings.Join(checks(), ", "))
		}
		s.SkipPreflight[name] = true
	}
	if f.patience < 0 {
		return s, failure.New(failure.Usage, "",
			"argument --issuance-timeout: value must be non-negative")
	}
	if f.deadline < 0 || f.longestValidation < 0 {
		return s, failure.New(failure.Usage, "",
			"--deadline and --longest-validation take a positive time such as 90s")
	}
	return s, nil
}

// talk is the command's dialogue, made once: answers that were read ahead are the next question's.
func (f *places) talk(env Env, p *printer) *dialogue {
	if f.dialogue == nil {
		f.dialogue = &dialogue{p: p,
			silent: f.noninteractive || f.quiet || f.json || mute(env.Stdin), watched: f.forced ||
				reads(env.Stdin) && p.tty}
		if env.Stdin != nil {
			f.dialogue.in = bufio.NewReader(env.Stdin)
		}
	}
	return f.dialogue
}
