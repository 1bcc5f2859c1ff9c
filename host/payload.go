package host

import (
	"encoding/json"

	"orderly/ledger"
)

// What an order is, the engine decides by, and it is package ledger's. What this host wants with it
// (where tokens are written, which hooks are run, where the certificate goes) is its payload, which
// the ledger keeps unread: else a host of another kind would have to speak of document roots. In
// this package and above it both are one request.

// Request is an order's request with what this host wants with it.
type Request struct {
	ledger.Request
	Payload
}

// Payload is what this host wants with an order.
type Payload struct {
	Webroots map[string]string `json:"webroots"` // document root of each name
	// WebrootPaths are as certbot keeps them in webroot_path.
	WebrootPaths []string `json:"webroot_paths,omitempty"`
	Hooks        Commands `json:"hooks,omitzero"`

	Solver     string     `json:"solver,omitempty"` // how names are proven: "" is "webroot"
	Standalone Standalone `json:"standalone,omitzero"`
	Manual     Manual     `json:"manual,omitzero"`
	// WebrootFrom is where each document root is asked for; Webroots serves when that fails.
	WebrootFrom string `json:"webroot_from,omitempty"`

	Output Output `json:"output,omitzero"` // where the certificate of a person's own CSR goes

	// Settings is the renewal file when this was asked: what differs in it later was mended by a
	// person.
	Settings string `json:"settings,omitempty"`
}

// Output names the files for a certificate that has no lineage. All are absolute.
type Output struct {
	Cert      string `json:"cert"`
	Chain     string `json:"chain"`
	FullChain string `json:"fullchain"`
}

// Standalone is where the web server of a run listens for the CA's validation.
type Standalone struct {
	Address string `json:"address,omitempty"` // "" for every one
	Port    int    `json:"port,omitempty"`    // 0 for 80
}

// Manual are the commands that prove a name, as certbot's plugin manual runs them.
type Manual struct {
	Auth    string `json:"auth,omitempty"`
	Cleanup string `json:"cleanup,omitempty"`
	// Challenge is "http-01", "dns-01", in order of preference, by commas; "" for any.
	Challenge string `json:"challenge,omitempty"`
}

// Commands are shell commands around an issuance, as certbot runs them.
type Commands struct {
	Pre    string `json:"pre,omitempty"`
	Post   string `json:"post,omitempty"`
	Deploy string `json:"deploy,omitempty"`
}

// Read is a request with what this host wants with it. What is none of this host's says nothing: a
// name without a document root is refused before anything is ordered. The payload stands in fields
// from here on; Filed gives it back.
func Read(r ledger.Request) Request {
	var p Payload
	_ = json.Unmarshal([]byte(r.Host), &p) // it fills in all that it can
	r.Host = ""
	return Request{r, p}
}

// Filed is the request as the engine and the ledger have it. A path that is not UTF-8 stays marked
// as one, and the ledger refuses it.
func (r Request) Filed() ledger.Request {
	text, err := json.Marshal(r.Payload)
	if err == nil { // there is nothing in it that JSON does not have
		r.Host = ledger.Payload(text)
	}
	return r.Request
}
