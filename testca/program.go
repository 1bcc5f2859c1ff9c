package testca

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// options are what the program is told beyond the Config.
type options struct {
	Config
	control  string
	rootFile string
	verbose  bool
}

// Main is the program testca: it runs a CA until ctx ends, prints where everything is as KEY=value lines (directory,
// root, resolver, control, pid), and returns the exit code: 0, 1 when the CA could not run, 2 for a wrong command line.
func Main(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	o, err := parse(arguments, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2 // the flag package has said why
	}
	if o.verbose {
		o.Log = stderr
	}
	if err := run(ctx, o, stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "testca: %v\n", err)
		return 1
	}
	return 0
}

func parse(arguments []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("testca", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o.serverFlags(flags)
	o.behaviourFlags(flags)
	o.timeFlags(flags)
	flags.Var(&o.Limits.NewOrdersPerAccount, "limit-new-orders", "NewOrdersPerAccount, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.FailedAuthorizationsPerDomainPerAccount, "limit-failed-authorizations",
		"FailedAuthorizationsPerDomainPerAccount, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.CertificatesPerFQDNSet, "limit-fqdn-set", "CertificatesPerFQDNSet, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.CertificatesPerDomain, "limit-domain", "CertificatesPerDomain, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.NewRegistrationsPerIPAddress, "limit-registrations", "NewRegistrationsPerIPAddress, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.FailedAuthorizationsForPausingPerDomainPerAccount, "limit-pausing",
		"FailedAuthorizationsForPausingPerDomainPerAccount, as `COUNT/PERIOD`")
	flags.Var(&o.Limits.PendingAuthorizations, "limit-pending", "pending authorizations of an account, the retired limit, as `COUNT`")
	err := flags.Parse(arguments)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("testca takes no arguments, such as %q", flags.Arg(0))
		_, _ = fmt.Fprintln(stderr, err)
	}
	return o, err
}

func (o *options) serverFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`ADDRESS` of the ACME server")
	flags.StringVar(&o.control, "control-addr", "127.0.0.1:0", "`ADDRESS` of the control endpoint")
	flags.StringVar(&o.rootFile, "root-file", "", "`FILE` for the root that clients must trust (a temporary one by default)")
	flags.BoolVar(&o.verbose, "verbose", false, "log to standard error")
	flags.IntVar(&o.HTTPPort, "http-port", 80, "`PORT` on 127.0.0.1 that http-01 validation connects to")
	flags.IntVar(&o.HTTPSPort, "https-port", 0, "`PORT` on 127.0.0.1 for redirects to https (0: none)")
	flags.Func("dead-name", "`NAME` that answers NXDOMAIN; may be repeated", func(name string) error {
		o.DeadNames = append(o.DeadNames, name)
		return nil
	})
}

func (o *options) behaviourFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.Reuse, "reuse", false, "hand back existing orders as Boulder does")
	flags.BoolVar(&o.AuthzReuse, "authz-reuse", false, "make valid authorizations part of new orders")
	flags.BoolVar(&o.OrdersList, "orders-list", false, "show and serve the list of an account's orders")
	flags.BoolVar(&o.HideProcessing, "hide-processing", false, "show challenges being validated as pending")
	flags.BoolVar(&o.Boulder, "boulder", false, "show what Boulder alone shows")
	flags.BoolVar(&o.Strict, "strict", false, "refuse what Boulder's policy refuses, such as names below .test")
	flags.BoolVar(&o.RepeatConflict, "repeat-conflict", false, "answer 409 to a challenge POSTed again while it validates")
	flags.BoolVar(&o.AsyncFinalize, "async-finalize", false, "answer finalize with processing")
	flags.BoolVar(&o.ExternalAccountRequired, "eab-required", false, "refuse accounts without external account binding")
	flags.IntVar(&o.AlternateChains, "alternate-chains", 0, "`NUMBER` of chains offered beside the default one")
	flags.Func("eab-key", "a key for external account binding, as `KID=BASE64URL`; may be repeated", func(text string) error {
		id, key, _ := strings.Cut(text, "=")
		if o.ExternalAccountKeys == nil {
			o.ExternalAccountKeys = map[string]string{}
		}
		o.ExternalAccountKeys[id] = key
		return nil
	})
	flags.IntVar(&o.NonceReject, "nonce-reject", 0, "`PERCENT` of signed requests refused with badNonce")
	flags.BoolFunc("boulder-like", "short for --reuse --authz-reuse --hide-processing --boulder; flags after it win", func(text string) error {
		on, err := strconv.ParseBool(text)
		o.Reuse, o.AuthzReuse, o.HideProcessing, o.Boulder = on, on, on, on
		return err
	})
}

func (o *options) timeFlags(flags *flag.FlagSet) {
	flags.DurationVar(&o.FinalizeDelay, "finalize-delay", 0, "how long an asynchronous finalize stays processing")
	flags.DurationVar(&o.ValidationDelay, "validation-delay", 0, "how long before a validation fetches")
	flags.DurationVar(&o.ValidationTimeout, "validation-timeout", 10*time.Second, "how long a validation may take")
	flags.Func("poll-retry-after", "Retry-After of what is processing, in `SECONDS` (no header by default)", func(text string) error {
		seconds, err := strconv.Atoi(text)
		o.PollRetryAfter = &seconds
		return err
	})
	flags.DurationVar(&o.Lifetimes.Order, "order-lifetime", 0, "lifetime of orders (7 days by default)")
	flags.DurationVar(&o.Lifetimes.PendingAuthorization, "authz-lifetime", 0, "lifetime of pending authorizations (7 days by default)")
	flags.DurationVar(&o.Lifetimes.ValidAuthorization, "valid-authz-lifetime", 0, "lifetime of valid authorizations (30 days by default)")
	flags.DurationVar(&o.Lifetimes.Certificate, "cert-lifetime", 0, "lifetime of certificates (90 days by default)")
	flags.Func("profile", "a further profile and how long its things live, as `NAME=CERTIFICATE[,order=D][,authz=D][,valid-authz=D]`; "+
		"may be repeated", func(text string) error {
		name, lifetimes, err := readProfile(text)
		if o.Profiles == nil {
			o.Profiles = map[string]Lifetimes{}
		}
		o.Profiles[name] = lifetimes
		return err
	})
	flags.BoolFunc("lets-encrypt-profiles", "Let's Encrypt's profiles: classic, tlsserver and shortlived", func(string) error {
		o.Profiles = LetsEncryptProfiles()
		return nil
	})
}

func run(ctx context.Context, o options, stdout io.Writer) (err error) {
	c, err := Start(o.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if o.rootFile == "" {
		directory, err := os.MkdirTemp("", "testca-*")
		if err != nil {
			return fmt.Errorf("the root's file: %w", err)
		}
		defer func() { _ = os.RemoveAll(directory) }() // a leftover in the temporary directory harms nobody
		o.rootFile = filepath.Join(directory, "root.pem")
	}
	if o.rootFile, err = filepath.Abs(o.rootFile); err != nil { // its reader may stand elsewhere
		return fmt.Errorf("the root's file: %w", err)
	}
	if err := os.WriteFile(o.rootFile, c.RootPEM(), 0o644); err != nil {
		return fmt.Errorf("the root's file: %w", err)
	}
	listener, err := net.Listen("tcp", o.control)
	if err != nil {
		return fmt.Errorf("the control endpoint: %w", err)
	}
	control := &http.Server{Handler: c.Control(), ErrorLog: c.log, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(listener) }()
	_, err = fmt.Fprintf(stdout, "directory=%s\nroot=%s\nresolver=%s\ncontrol=http://%s\npid=%d\n",
		c.DirectoryURL(), o.rootFile, c.Resolver(), listener.Addr(), os.Getpid())
	if err == nil {
		<-ctx.Done()
	}
	err = errors.Join(err, control.Close())
	<-ended // always http.ErrServerClosed
	return err
}
