package failure

// What a person does about an error, piece by piece: something done with Orderly, something said
// to it. Each is named for what it does, never for how it is typed.

import (
	"slices"
	"strings"

	"orderly/outside"
)

// Step is a piece of a remedy that is not put into words before it is shown. The values are in
// ledgers, and stay.
type Step string

// What is done with Orderly, each with its arguments.
const (
	Resume           Step = "resume"             // go on with all that is unfinished
	ShowOrder        Step = "show-order"         // see the history of an order: its id
	ShowLimits       Step = "show-limits"        // see what is left of every budget
	ShowSettings     Step = "show-settings"      // see what can be said about a CA
	ShowChannels     Step = "show-channels"      // see what can be said about who is told
	TestChannels     Step = "test-channels"      // see whether everybody is reached who is told
	ListCertificates Step = "list-certificates"  // see the certificates of this host
	ListRuns         Step = "list-runs"          // see what is at work
	ListKilledRuns   Step = "list-killed-runs"   // see which runs were killed, and at what
	DrainPending     Step = "drain-pending"      // finish what is pending at the CA
	ScanLogs         Step = "scan-logs"          // see what other clients' logs left open: the logs
	PriceRelease     Step = "price-release"      // see what it costs to give up what is pending
	GiveUp           Step = "give-up"            // give up the orders with a name: the name
	GiveUpHere       Step = "give-up-here"       // the same on this host alone
	Unpause          Step = "unpause"            // let names be ordered again: the names
	AnotherKey       Step = "another-key"        // renew with another key: lineage, as OfKey
	RenewNow         Step = "renew-now"          // renew before it is due: lineage, as OfKey
	RenewWith        Step = "renew-with"         // renew when due, and so: lineage, as OfKey
	RenewDue         Step = "renew-due"          // renew what is due
	RenewAll         Step = "renew-all"          // renew what a directory holds: the directory
	Obtain           Step = "obtain"             // order a certificate: its name, or none
	ObtainFor        Step = "obtain-for"         // the same for other names: lineage, document root or authenticator, the names
	ObtainAgain      Step = "obtain-again"       // the same once more: CA, lineage, document root or authenticator, the names
	ObtainAt         Step = "obtain-at"          // the same by a document root: lineage, the names
	ObtainIn         Step = "obtain-in"          // the same by this document root: it, the names
	NameRoot         Step = "name-root"          // name a document root: lineage, or none; the root, or none
	SetDeployHook    Step = "set-deploy-hook"    // name a deploy hook: lineage, the command
	SetHook          Step = "set-hook"           // name a hook, or none: lineage, its kind; the command
	Examine          Step = "examine"            // look at a certificate: lineage
	Mend             Step = "mend"               // let it be mended: the check that found it; lineage, or none
	Delete           Step = "delete"             // delete a certificate: lineage
	Retire           Step = "retire"             // put certificates aside: lineage, or none
	Unretire         Step = "unretire"           // take one back: lineage
	Register         Step = "register"           // make an account: the CA, or none
	ForgetAccount    Step = "forget-account"     // remove an account from this host
	ChangeAccountKey Step = "change-account-key" // give an account another key: server, account
	RebuildLedger    Step = "rebuild-ledger"     // make a ledger from disk and CA
	AdoptLedger      Step = "adopt-ledger"       // take over another host's ledger
)

// What is said to Orderly beside what it is to do; what is said stands in the arguments, or is not
// told.
const (
	Insist            Step = "insist"             // try at once, whatever the back-off
	OtherCA           Step = "other-ca"           // ask this CA
	OtherAccount      Step = "other-account"      // order with this account
	GiveAccountKey    Step = "give-account-key"   // the key of another client's account: its file
	GiveNames         Step = "give-names"         // which names a certificate is for
	NameCertificate   Step = "name-certificate"   // which certificate
	CertificateFile   Step = "certificate-file"   // where a certificate goes
	ChainFile         Step = "chain-file"         // where its chain goes
	FullChainFile     Step = "full-chain-file"    // where both go
	KeyFile           Step = "key-file"           // a private key
	RequestFile       Step = "request-file"       // a signing request
	OfKey             Step = "of-key"             // ask for a key: some of the below
	KeyType           Step = "key-type"           // of which type a key is
	KeySize           Step = "key-size"           // how long an RSA key is
	Curve             Step = "curve"              // on which curve an ECDSA key is
	KeepKey           Step = "keep-key"           // the same key at each renewal
	ChangeKey         Step = "change-key"         // a new key at each renewal
	Expand            Step = "expand"             // all names into the certificate there is
	Duplicate         Step = "duplicate"          // one more certificate for the same names
	RenewUndue        Step = "renew-undue"        // whether it is due or not
	WithoutDelay      Step = "without-delay"      // no random delay
	Deadline          Step = "deadline"           // end by itself after a time: the time
	DocumentRoot      Step = "document-root"      // a document root
	UseRoot           Step = "use-root"           // prove names there: as DocumentRoot
	RootFrom          Step = "root-from"          // whom to ask for document roots
	OwnPort           Step = "own-port"           // where the run's own web server listens
	OwnAddress        Step = "own-address"        // on which address
	ProveBy           Step = "prove-by"           // by which challenges
	ProveByDNS        Step = "prove-by-dns"       // by DNS records, and what makes them
	ProofHook         Step = "proof-hook"         // what proves a name
	ProofCleanup      Step = "proof-cleanup"      // what takes the proof away
	HookBefore        Step = "hook-before"        // what runs before
	HookAfter         Step = "hook-after"         // what runs afterwards
	UncheckedHooks    Step = "unchecked-hooks"    // hooks are not looked for
	SkipCheck         Step = "skip-check"         // leave out a check
	AllowNetwork      Step = "allow-network"      // a network that names may point to
	FleetAddresses    Step = "fleet-addresses"    // a file of what leads here: the file
	AskWebServers     Step = "ask-web-servers"    // let the web servers of this host be asked as well
	Resolver          Step = "resolver"           // which DNS server
	ContactAddress    Step = "contact-address"    // whom the CA writes to
	NoContact         Step = "no-contact"         // nobody
	AgreeTerms        Step = "agree-terms"        // the CA's terms are agreed to
	CustomerID        Step = "customer-id"        // by which the CA knows its customer
	CustomerKey       Step = "customer-key"       // with which key
	CustomerAlgorithm Step = "customer-algorithm" // and which algorithm
	Unverified        Step = "unverified"         // believe any CA
	ConfigDir         Step = "config-dir"         // which directories
	WorkDir           Step = "work-dir"
	LogsDir           Step = "logs-dir"
	SettingsFile      Step = "settings-file" // which file of settings
)

// What OfKey, AnotherKey and their like ask for.
const (
	RSA2048   = "rsa-2048"
	P256      = "p-256"
	NewKey    = "new"       // a key as before, but a new one
	Unstapled = "unstapled" // without OCSP Must Staple
)

// The marks around a step and between its arguments. Nothing from outside keeps one of them
// (package outside), so that no name or page can pass for a step.
const (
	stepBegins = "\x02"
	stepEnds   = "\x03"
	stepComma  = "\x1f"
)

// Do is a step within a remedy.
func Do(step Step, args ...string) Remedy { return mark(step, args, outside.Clean) }

func mark(step Step, args []string, clean func(string) string) Remedy {
	parts := slices.Concat([]string{string(step)}, args)
	for i, part := range parts {
		parts[i] = clean(part)
	}
	return Remedy(stepBegins + strings.Join(parts, stepComma) + stepEnds)
}
