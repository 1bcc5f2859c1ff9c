package testca

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/letsencrypt/pebble/v2/acme"
)

// What CAs other than Let's Encrypt were seen to answer, each by a setting of its own, changed while
// the CA runs. The inside of the CA stays as it is: Truth tells what is really the case, and only what
// a client is shown, or how a validation is written down, differs. Nothing here spends a limit.

// Odd says what the CA does otherwise than Let's Encrypt. The zero value is nothing.
type Odd struct {
	OddCertificate
	OddChallenge

	// Moved, where not 0, is the form of the URLs of authorizations, challenges and finalize from now on,
	// as after a base URL was mended behind a proxy: those of other forms answer 404.
	Moved int `json:"moved"`
	// Relative shows these URLs without scheme and host.
	Relative bool `json:"relative"`
	// Unicode shows names as U-labels.
	Unicode bool `json:"unicode"`
	// NotWild shows no authorization as one of a wildcard.
	NotWild bool `json:"not_wild"`
	// Alternates are the statuses that an order is shown with in turn, look by look, instead of "ready".
	Alternates []string `json:"alternates"`
	// NotReadyFor is how long an order that is ready refuses finalize with 403 orderNotReady, from the
	// first finalize on.
	NotReadyFor time.Duration `json:"not_ready_for"`
}

// oddState is what oddities need to remember. CA.mu guards it.
type oddState struct {
	Odd
	looks   int
	refused map[string]time.Time // order → first finalize
	issuer  *oddIssuer
}

// SetOdd makes the CA behave oddly from now on, in this way alone.
func (c *CA) SetOdd(o Odd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.odd.Odd, c.odd.looks, c.odd.refused = o, 0, map[string]time.Time{}
}

func (c *CA) oddly() Odd {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.odd.Odd
}

// process answers a request as the CA does, and shows the answer as oddly as was asked for.
func (c *CA) process(r *request) *reply {
	if answer := c.notReadyYet(r); answer != nil {
		return answer
	}
	answer := c.plainly(r)
	if answer.status >= 300 {
		return answer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.kind {
	case kindNewOrder, kindOrder, kindFinalize:
		return answer.amend(func(members map[string]any) { c.oddOrder(r, members) })
	case kindAuthz, kindDeactivate:
		return answer.amend(func(members map[string]any) { c.oddAuthorization(r, members) })
	case kindChallenge, kindChallengeIs:
		return answer.amend(func(members map[string]any) { c.oddURL(r, members, "url") })
	case kindCertificate:
		return c.oddChain(answer)
	}
	return answer
}

// notReadyYet is the refusal of finalize by a CA that needs some seconds to see what it has validated.
func (c *CA) notReadyYet(r *request) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.odd.NotReadyFor == 0 || r.kind != kindFinalize {
		return nil
	}
	id, now := r.id(finalizePath), c.now()
	first, met := c.odd.refused[id]
	if !met {
		first, c.odd.refused[id] = now, now
	}
	if !now.Before(first.Add(c.odd.NotReadyFor)) {
		return nil
	}
	return c.refuse(r, problemf(http.StatusForbidden, "orderNotReady",
		`Order's status ("pending") is not acceptable for finalization`))
}

func (c *CA) oddOrder(r *request, members map[string]any) {
	c.oddURL(r, members, "finalize")
	if list, ok := members["authorizations"].([]any); ok {
		for i := range list {
			list[i] = c.odd.form(r, list[i])
		}
	}
	if list, ok := members["identifiers"].([]any); ok && c.odd.Unicode {
		for _, one := range list {
			inUnicode(one)
		}
	}
	if turns := c.odd.Alternates; len(turns) > 0 && r.kind != kindNewOrder && members["status"] == acme.StatusReady ||
		len(turns) > 0 && r.kind == kindFinalize {
		members["status"] = turns[c.odd.looks%len(turns)]
		delete(members, "certificate")
		c.odd.looks++
	}
}

func (c *CA) oddAuthorization(r *request, members map[string]any) {
	if c.odd.Unicode {
		inUnicode(members["identifier"])
	}
	if c.odd.NotWild {
		delete(members, "wildcard")
	}
	list, _ := members["challenges"].([]any)
	for _, one := range list {
		if challenge, ok := one.(map[string]any); ok {
			c.oddURL(r, challenge, "url")
		}
	}
}

func inUnicode(identifier any) {
	if members, ok := identifier.(map[string]any); ok {
		value, _ := members["value"].(string)
		if name, err := idna.ToUnicode(value); err == nil {
			members["value"] = name
		}
	}
}

func (c *CA) oddURL(r *request, members map[string]any, name string) {
	if _, ok := members[name]; ok {
		members[name] = c.odd.form(r, members[name])
	}
}

// movable are the paths that a new form of URLs changes.
func movable() []string { return []string{finalizePath, authzPath, challengePath} }

// form is a URL as the CA writes it now.
func (o Odd) form(r *request, url any) any {
	text, _ := url.(string)
	path, found := strings.CutPrefix(text, r.url(""))
	if !found || !slices.ContainsFunc(movable(), func(p string) bool { return strings.HasPrefix(path, p) }) {
		return url
	}
	if o.Moved != 0 {
		path = movedPrefix + strconv.Itoa(o.Moved) + path
	}
	if o.Relative {
		return path
	}
	return r.url(path)
}

const movedPrefix = "/form-"

// unmove gives a request the path that its URL stands for; one of another form than today's leads nowhere.
func (c *CA) unmove(r *http.Request) {
	form, path := "0", r.URL.Path
	if rest, moved := strings.CutPrefix(r.URL.Path, movedPrefix); moved {
		number, tail, _ := strings.Cut(rest, "/")
		form, path = number, "/"+tail
	}
	if !slices.ContainsFunc(movable(), func(p string) bool { return strings.HasPrefix(path, p) }) {
		return
	}
	if form != strconv.Itoa(c.oddly().Moved) {
		path += "-of-another-form"
	}
	r.URL.Path = path
}

func (c *CA) controlOdd(w http.ResponseWriter, r *http.Request) {
	var o Odd
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodySize))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.SetOdd(o)
}
