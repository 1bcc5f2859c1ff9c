package failure

// Class names a kind of failure for machines: it stands in JSON output, in the ledger and in metrics, and never changes
// its meaning. Each is lower-case words joined by hyphens.
type Class string

// The classes. What each means for exit code and budget is in the table below.
const (
	Usage         Class = "usage"              // the command line is wrong
	Config        Class = "config"             // a file or directory of the configuration cannot be used
	RenewalFile   Class = "renewal-file"       // a renewal file does not parse or lacks what is needed
	BadName       Class = "bad-name"           // not a DNS name, or too many of them
	WebrootUnset  Class = "webroot-unset"      // no document root is configured for a name
	WebrootGone   Class = "webroot-missing"    // the document root does not exist or is no directory
	WebrootUnsafe Class = "webroot-unsafe"     // a customer could redirect what would be written
	WebrootLocked Class = "webroot-unwritable" // the document root cannot be written
	PortTaken     Class = "port-taken"         // the run's own web server cannot listen on its port
	LineageTaken  Class = "lineage-taken"      // archive/NAME or live/NAME exists and belongs to nobody
	LineageBroken Class = "lineage-broken"     // the files of a lineage contradict each other
	DNSMissing    Class = "dns-missing"        // NXDOMAIN, or no address
	DNSBroken     Class = "dns-broken"         // SERVFAIL, or a name server that answers nonsense
	DNSSilent     Class = "dns-silent"         // no DNS answer at all
	HTTPWrong     Class = "http-wrong-answer"  // the name serves something else than the probe
	HTTPUnreached Class = "http-unreachable"   // no connection to the name from this server
	AddressRefuse Class = "address-refused"    // the name points where Orderly must not dial
	BackOff       Class = "back-off"           // too soon after failures the CA charged for
	RateLimited   Class = "rate-limited"       // the CA answered 429, or the ledger knows it would
	Paused        Class = "paused"             // the CA wants a person to unpause a name
	Validation    Class = "validation-failed"  // the CA could not validate a name
	CAAForbids    Class = "caa-forbids"        // a CAA record forbids this CA to issue
	BadCSR        Class = "bad-csr"            // the CA refuses the certificate's key or CSR
	CARefused     Class = "ca-refused"         // the CA refused a request for another reason
	CAUnavailable Class = "ca-unavailable"     // the CA answers with 5xx, not at all, or nonsense
	AnswerLost    Class = "answer-lost"        // a request was sent, its answer never arrived
	Account       Class = "account"            // the account is unknown, deactivated or has another key
	Taken         Class = "taken"              // another holder of the account finalized the order
	KeyLost       Class = "key-lost"           // the private key of an order is gone
	Expired       Class = "expired"            // the order expired before it was finished
	Released      Class = "released"           // the order was given up on purpose
	Stopped       Class = "stopped"            // ended in time by a signal or a deadline; will be continued
	Hook          Class = "hook"               // a hook cannot be found, or did not do what it is for
	Ledger        Class = "ledger"             // the ledger cannot be opened, read or written
	Locked        Class = "locked"             // another program holds a lock for too long
	Clock         Class = "clock"              // the clock cannot be right
	Internal      Class = "internal"           // a defect of Orderly
)

// The classes that texts of other programs and of CAs have beside those, and causes that are told
// more finely than by them. What each leads to is in the table of mending.go.
const (
	DiskFull       Class = "disk-full"               // no room, inodes or quota
	SolverUnfit    Class = "solver-unfit"            // this way of proving cannot prove the name
	Killed         Class = "killed"                  // a run that ended without an end
	ClientOutdated Class = "client-outdated"         // what the client speaks is gone
	DNSElsewhere   Class = "dns-elsewhere"           // the name points to no address of ours
	IPv6Broken     Class = "ipv6-broken"             // the CA took the IPv6 address, which fails
	BlockedAbroad  Class = "blocked-abroad"          // reached from here, not from elsewhere
	HTTPError      Class = "http-error"              // the site answers with an error
	Redirect       Class = "redirect"                // the site leads nowhere
	LimitFailures  Class = "rate-limited-failures"   // too many failed validations
	LimitSet       Class = "rate-limited-duplicates" // the same names too often
	LimitPending   Class = "rate-limited-pending"    // too many pending authorizations
	Undelivered    Class = "undelivered"             // what was to be told did not arrive
	CAUnreachable  Class = "ca-unreachable"          // no connection to the CA from here
	Unclassified   Class = "unclassified"            // a text that nothing is known of
)

// ExitCode is the process's exit code when the command ends with this class: certbot's (2 for a wrong command line, 1
// for everything else), and 75 (EX_TEMPFAIL) for Stopped.
func (c Class) ExitCode() int {
	switch c {
	case Usage:
		return 2
	case Stopped:
		return 75
	}
	return 1
}

// Network reports whether this refusal rests on what this server sees of the network, which can be wrong (NAT, split
// DNS), so that it may delay an order but never forbid it for good.
func (c Class) Network() bool {
	switch c {
	case DNSMissing, DNSElsewhere, DNSBroken, DNSSilent, HTTPWrong, HTTPUnreached, AddressRefuse:
		return true
	}
	return false
}
