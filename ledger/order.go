package ledger

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// An order is what may cost something at a CA, and so is kept from before it is asked for until
// nothing of it is open: what it is, how far it has come, what was done for each of its names.

// State says how far an order has come. It is written before and after each state-changing request,
// so whatever process reads it next knows what may have happened at the CA.
type State string

// The states. The first five are live: the order may still become a certificate and no second one
// may be made for it.
const (
	// Creating: newOrder was about to be sent, or was sent and its answer is not known.
	// CreateSentAt says when.
	Creating State = "creating"
	// PendingState: the CA has the order; authorizations are to be answered or are being validated.
	PendingState State = "pending"
	// Ready: every authorization is valid; the order waits for finalize. An order that was
	// superseded rests here, settled, and is taken up again if its names are asked for once more
	// before it expires.
	Ready State = "ready"
	// Processing: finalize was about to be sent, or was sent. The key and the CSR are on disk.
	Processing State = "processing"
	// Valid: the CA has issued. The certificate is downloaded (then it is in the order row) or not
	// yet; it is not in place.
	Valid State = "valid"

	// Installed: the certificate is in place and its deploy hooks are done once DeployedAt is set.
	// Final.
	Installed State = "installed"
	// SupersededState: the CA issued, but something newer had taken the certificate's place on this
	// host, so that it was left aside and no hook ran for it. Final.
	SupersededState State = "superseded"
	// Invalid: an authorization failed, or the CA failed at finalize. Settled once no sibling is
	// pending any more.
	Invalid State = "invalid"
	// ExpiredState: it expired before it was finished. Final.
	ExpiredState State = "expired"
	// ReleasedState: given up on purpose; what was pending was left to expire, or handed to another
	// order. Final.
	ReleasedState State = "released"
	// TakenState: another holder of the account finalized it with another key. Final.
	TakenState State = "taken"
	// LostState: the CA issued, but the private key is gone. Final; the certificate is worthless.
	LostState State = "lost"
	// RefusedState: the CA refused newOrder and certainly made nothing. Final.
	RefusedState State = "refused"
	// Phantom: newOrder may have made an order that nobody can find. It is counted until it has
	// expired at the CA.
	Phantom State = "phantom"
	// Seen: the account's list of orders shows it, and nothing on this host says that it is ours;
	// another server's of the account, perhaps. It is not continued, but counted, shown, and taken
	// up before a newOrder for the same names. Settled.
	Seen State = "seen"
)

// SeenPrefix begins the lineage of an order in the state Seen, which no lineage on disk can be
// called. Its first name follows.
const SeenPrefix = "seen/"

// Live reports whether the order may still become a certificate.
func (s State) Live() bool {
	switch s {
	case Creating, PendingState, Ready, Processing, Valid:
		return true
	}
	return false
}

// Authorization statuses (RFC 8555 §7.1.6) that the ledger itself speaks of.
const (
	AuthorizationPending = "pending"
	AuthorizationValid   = "valid"
	AuthorizationInvalid = "invalid"
	// AuthorizationReplaced is one that its order does not name any more: the CA has given it
	// another URL, or put another one in its place.
	AuthorizationReplaced = "replaced"
)

// Order is one order with everything that is needed to finish it from another process.
type Order struct {
	ID        int64     `json:"id"`
	Version   int64     `json:"-"` // counts saves; guards against overwriting what another process saved
	AccountID int64     `json:"account_id"`
	Lineage   string    `json:"lineage"`
	Names     []string  `json:"names"` // lower case, sorted
	Profile   string    `json:"profile,omitempty"`
	State     State     `json:"state"`
	Request   Request   `json:"request"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// SettledAt is set once nothing remains to be done for this order, whatever its state.
	SettledAt time.Time `json:"settled_at,omitzero"`
	// NotBefore: no request for this order before this moment (Retry-After of an earlier run).
	NotBefore time.Time `json:"not_before,omitzero"`
	// Superseded: its names are to become valid, but it is not to be finalized, since an order for
	// a changed name set of the same lineage has taken its place.
	Superseded bool `json:"superseded,omitempty"`
	// Releasing: its pending authorizations are to be deactivated, since it cannot go on and that
	// is what costs least at this CA, or because the operator said so. Once set it stays: a run
	// that is killed on the way is continued.
	Releasing bool `json:"releasing,omitempty"`
	// MissingSince is when the CA, by its own clock, first did not know the order any more, though
	// it had not expired; zero while it shows it.
	MissingSince time.Time `json:"missing_since,omitzero"`

	URL         string    `json:"url,omitempty"`
	Finalize    string    `json:"finalize_url,omitempty"`
	Certificate string    `json:"certificate_url,omitempty"`
	CAStatus    string    `json:"ca_status,omitempty"` // as the CA last showed it
	Expires     time.Time `json:"expires,omitzero"`    // for a phantom: the latest moment at which it can still exist
	Replaces    string    `json:"replaces,omitempty"`  // RFC 9773 certificate id, as sent

	CreateSentAt time.Time `json:"create_sent_at,omitzero"` // of the last newOrder whose answer is not known; zero once it is
	CreateSends  int       `json:"create_sends"`            // how often newOrder was sent for this row

	Key            FileRef   `json:"key,omitzero"`
	CSR            FileRef   `json:"csr,omitzero"`
	FinalizeSentAt time.Time `json:"finalize_sent_at,omitzero"`

	Chain       []byte    `json:"-"` // the certificate as downloaded, PEM, checked against the CSR's key
	Alternates  [][]byte  `json:"-"` // the CA's other chains for that certificate, as far as they were downloaded, PEM
	InstalledAt time.Time `json:"installed_at,omitzero"`
	Redeploys   int       `json:"-"`                    // how often the deploy hooks were begun again, since a process ended while they ran
	DeployedAt  time.Time `json:"deployed_at,omitzero"` // every deploy hook has run

	Reason // of what ended or last stopped it
	// Problem is the CA's problem document that the sentence rests on, cleaned, JSON (RFC 9457);
	// none where it is not the CA's.
	Problem json.RawMessage `json:"problem,omitempty"`

	Authorizations []*Authorization `json:"authorizations"`
}

// Subject names what an order is about, for people: the lineage of a dry run's order has a word of
// the ledger's before its name.
func (o *Order) Subject() string { return subject(o.Lineage, o.Request.Rehearsal) }

// Subject names what a request is about, for people.
func (r Request) Subject() string { return subject(r.Lineage, r.Rehearsal) }

func subject(lineage string, rehearsal bool) string {
	if _, of, marked := strings.Cut(lineage, "/"); marked && rehearsal {
		return of
	}
	return lineage
}

// NamesOf is the name of one of the order's authorizations. Until the CA has shown it, which it
// need not be asked to do for one that it reuses, these are the names that no other authorization
// of the order has.
func (o *Order) NamesOf(a *Authorization) []string {
	if a.Name != "" {
		return []string{a.FullName()}
	}
	left := slices.Clone(o.Names)
	for _, other := range o.Authorizations {
		left = slices.DeleteFunc(left,
			func(name string) bool { return other.Name != "" && other.FullName() == name })
	}
	if len(left) == 0 {
		return o.Names
	}
	return left
}

// Name gives its name to an authorization that the CA has not shown, where the order leaves only
// one for it.
func (o *Order) Name() {
	for _, a := range o.Authorizations {
		if names := o.NamesOf(a); a.Name == "" && len(names) == 1 {
			a.Name, a.Wildcard = strings.TrimPrefix(names[0], "*."), strings.HasPrefix(names[0], "*.")
		}
	}
}

// FileRef is a file beside the ledger that must not have changed: a private key or a CSR.
type FileRef struct {
	Path   string `json:"path"`   // relative to the ledger's directory
	SHA256 string `json:"sha256"` // hex, of the content
}

// Set reports whether the reference names a file.
func (f FileRef) Set() bool { return f.Path != "" }

// Authorization is one authorization of an order and the challenge by which it is proven.
type Authorization struct {
	ID       int64     `json:"id"`
	URL      string    `json:"url"`
	Name     string    `json:"name,omitempty"` // empty until the CA has shown the authorization
	Wildcard bool      `json:"wildcard,omitempty"`
	Status   string    `json:"status"` // RFC 8555 §7.1.6; pending until the CA says otherwise
	Expires  time.Time `json:"expires,omitzero"`
	SeenAt   time.Time `json:"seen_at,omitzero"` // when the CA last showed it

	ChallengeURL    string    `json:"challenge_url,omitempty"`
	ChallengeType   string    `json:"challenge_type,omitempty"`
	ChallengeStatus string    `json:"challenge_status,omitempty"`
	Token           string    `json:"token,omitempty"`
	AnswerSentAt    time.Time `json:"answer_sent_at,omitzero"` // intent of the last challenge POST
	Answers         int       `json:"answers"`                 // challenge POSTs intended
	Answered        bool      `json:"answered,omitempty"`      // the CA accepted the last of them

	// Placement is the solver's record of the token it put in place, JSON; empty when nothing
	// stands.
	Placement string `json:"placement,omitempty"`

	ErrorType   string `json:"error_type,omitempty"` // problem type, without its urn prefix
	ErrorDetail string `json:"error_detail,omitempty"`
}

// Final reports whether the authorization has left `pending` for good.
func (a *Authorization) Final() bool { return a.Status != AuthorizationPending }

// Request is what a person or a renewal file asked for: enough for any later command to finish the
// order. Its own fields say what the order is.
type Request struct {
	Lineage  string   `json:"lineage"`
	Names    []string `json:"names"` // as asked; the first one names the lineage's common name
	Server   string   `json:"server"`
	Account  string   `json:"account"` // certbot's account id
	Profile  string   `json:"profile,omitempty"`
	KeyType  string   `json:"key_type"` // ecdsa or rsa
	RSABits  int      `json:"rsa_bits,omitempty"`
	Curve    string   `json:"curve,omitempty"`
	Replaces string   `json:"replaces,omitempty"`
	New      bool     `json:"new,omitempty"` // the lineage did not exist when this was asked
	// InPlaceSince is when the certificate in place was issued, where it is for exactly these names and
	// this account got it: the order is a renewal to the CA. Zero otherwise.
	InPlaceSince time.Time `json:"in_place_since,omitzero"`

	MustStaple       bool   `json:"must_staple,omitempty"`
	ReuseKey         bool   `json:"reuse_key,omitempty"`
	OldKey           string `json:"old_key,omitempty"` // the file with the private key that is used again; "" for a new one
	PreferredChain   string `json:"preferred_chain,omitempty"`
	PreferredProfile string `json:"preferred_profile,omitempty"` // asked for where the CA offers it; Profile is required
	AllowSubset      bool   `json:"allow_subset,omitempty"`
	CSR              []byte `json:"csr,omitempty"`       // DER, of a person's own; then there is no private key here
	Rehearsal        bool   `json:"rehearsal,omitempty"` // --dry-run: nothing is put in place
	LostKey          bool   `json:"lost_key,omitempty"`  // the private key in place was of no use
	// NamesOnly: its names are to become valid, so that nothing of them is pending; nothing is issued.
	NamesOnly bool `json:"names_only,omitempty"`

	Host Payload `json:"-"` // what the host wants with the order; its keys stand beside these
}

// OrderFilter selects orders. Fields that are set must all match.
type OrderFilter struct {
	Lineage   string
	AccountID int64
	Live      bool   // only live states
	Unsettled bool   // only orders that still need something done
	Stands    bool   // only orders of which a token still stands
	URL       string // only the order with this URL
	NameKey   string // only orders for exactly this name set; see NameKey
	// Since selects the orders that something happened to at or after this moment.
	Since time.Time
	Limit int // the newest N, 0 for all
	// Sharing selects the live orders with at least one of these names.
	Sharing []string
}

// Pending is an authorization that is not final, or a phantom, as `orderly pending` shows it.
type Pending struct {
	OrderID   int64     `json:"order"`
	Lineage   string    `json:"lineage"`
	State     State     `json:"order_state"`
	Names     []string  `json:"names"` // one name; for a phantom or an authorization not yet shown, those of the order
	URL       string    `json:"authorization_url,omitempty"`
	Answered  bool      `json:"answered"`
	Since     time.Time `json:"since"`
	Expires   time.Time `json:"expires,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

// NameKey is the canonical form of a name set: lower case, sorted, without duplicates, joined by
// commas.
func NameKey(names []string) string { return strings.Join(CanonicalNames(names), ",") }

// CanonicalNames returns the names in lower case, IP addresses in their one spelling (RFC 8738 §3),
// sorted, each once. Boulder compares name sets this way.
func CanonicalNames(names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		if address, err := netip.ParseAddr(name); err == nil {
			name = address.Unmap().String()
		}
		out = append(out, strings.ToLower(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
