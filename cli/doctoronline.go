package cli

// doctor --online asks the network: how, is said by the flags of preflight, since both see the
// Internet by the same ways.

import (
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"orderly/account"
	"orderly/acme"
	"orderly/doctor"
	"orderly/failure"
	"orderly/host"
	"orderly/preflight"
	"orderly/solver/webroot"
	"orderly/vantage"
	"orderly/webserver"
	"orderly/zone"
)

type networkFlags struct {
	working
	online bool
	web    bool
	ca     bool // CAs are asked as well
	via    string
}

func (f *networkFlags) add(set *pflag.FlagSet, getenv func(string) string) {
	set.BoolVar(&f.online, "online", false,
		"look at the network as well: name servers, CAA records, whether a probe file is served, and "+
			"with which certificate")
	set.BoolVar(&f.ca, "ca", false,
		"with --online: ask the CAs as well what they have revoked, and want replaced by now")
	set.StringVar(&f.via, "via", "",
		"with --online: look at the sites from another place as well, through the proxy with this `URL` "+
			"there: socks5://HOST:PORT (as of ssh -D) or http://HOST:PORT")
	set.BoolVar(&f.web, "web", false,
		"ask the web servers of this host (nginx, Apache) for their configuration, and for the "+
			"certificates that they serve")
	set.StringVar(&f.resolver, "resolver", getenv("ORDERLY_RESOLVER"),
		"DNS server, `host:port`, that --online asks instead of the zones' own servers "+
			"(ORDERLY_RESOLVER)")
	set.IntVar(&f.port, "preflight-port", environmentPort(getenv),
		"`port` of the web server as the CA sees it (ORDERLY_PREFLIGHT_PORT)")
	set.StringSliceVar(&f.allow, "preflight-allow", nil,
		"`networks` beside public ones that names may point to (CIDR)")
	f.addAddresses(set)
}

// check refuses what would be ignored.
func (f *networkFlags) check(set *pflag.FlagSet, merge bool) error {
	if (f.online || f.web) && merge {
		return failure.New(failure.Usage, "Leave one of them out.",
			"--merge reads what other servers said, and asks no network and no web server")
	}
	if f.ca && !f.online {
		return failure.New(failure.Usage, "Add --online, or leave --ca away.",
			"--ca asks CAs over the network, which is done with --online alone")
	}
	for _, name := range []string{"resolver", "preflight-port", "preflight-allow", "addresses", "via"} {
		if set.Changed(name) && !f.online && !(f.web && name == "preflight-port") {
			return failure.New(failure.Usage, failure.Advise("Add --online, or leave --%s away.", name),
				"--%s says how the network is asked, which is done with --online alone", name)
		}
	}
	return nil
}

// reach lets a host be looked at from the network. end takes away what is needed for that.
func (f *networkFlags) reach(s *session, h *doctor.Host) (end func(), err error) {
	settings, err := f.settings(s.env.Getenv)
	if err != nil {
		return nil, err
	}
	writer := &webroot.Writer{Tell: s.p.Tell}
	const patience = 8 * time.Second // for one address: half of it for the connection
	checker := &preflight.Checker{Resolver: settings.Resolver, Port: settings.PreflightPort,
		Allow: settings.PreflightAllow, Fleet: settings.Fleet, UserAgent: userAgent(), Writer: writer,
		Now: time.Now, Timeout: patience, Tell: s.p.Tell}
	if h.Ledger != nil {
		checker.Memory = &host.Sights{Ledger: h.Ledger, Clock: host.Clock{}}
	}
	asked := zone.Config{Resolvers: checker.Resolvers(), Permits: checker.PermitsServer, Now: time.Now,
		Tell: s.p.Tell}
	if settings.Resolver == "" {
		asked.Roots = zone.RootServers()
	}
	h.Online = &doctor.Online{Zones: zone.New(asked), Checker: checker}
	if f.via != "" {
		if h.Online.Abroad, err = vantage.Parse(f.via); err != nil {
			return nil, err
		}
	}
	if settings.PreflightPort != 80 {
		h.Online.TLSPort = -1 // which one stands in for 443 nobody said
	}
	return writer.Close, nil
}

// askCAs lets CAs be asked what they say of certificates.
func (f *networkFlags) askCAs(s *session, h *doctor.Host) error {
	client, err := acme.HTTPClient(s.env.Getenv)
	if err != nil {
		return err
	}
	clients := &account.Clients{HTTP: client, Agent: userAgent(), Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Date: func(time.Time) {}}
	h.Authority = &doctor.Authority{Client: clients.For, HTTP: client}
	return nil
}

// ask lets a host's web servers be asked. end takes away what is needed for that.
func (f *networkFlags) ask(s *session, h *doctor.Host) (end func(), err error) {
	settings, err := f.settings(s.env.Getenv)
	if err != nil {
		return nil, err
	}
	writer := &webroot.Writer{Tell: s.p.Tell}
	h.Web = &doctor.Web{Look: webserver.Look, Writer: writer, Port: settings.PreflightPort}
	return writer.Close, nil
}
