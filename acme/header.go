package acme

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orderly/outside"
)

// What the headers of an answer say of time and place. All of it is a CA's word: bounded, resolved
// against the request, and left out where it makes no sense.

// longestWait bounds Retry-After, so that an absurd one can neither overflow nor stop a lineage for
// good.
const longestWait = 366 * 24 * time.Hour

func replyOf(status int, h http.Header, received time.Time) Reply {
	r := Reply{Status: status, Received: received}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		r.Date = date
	}
	r.RetryAfter, r.HasRetryAfter = retryAfter(h.Get("Retry-After"), r.Date, received)
	return r
}

// retryAfter reads RFC 9110 §10.2.3: seconds, or a date. A date is the CA's word and so is meant by
// the CA's clock; this machine's is used only where the answer had none.
func retryAfter(value string, date, received time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		most := int64(longestWait / time.Second)
		// out of range, it is the nearest int64
		return time.Duration(min(max(seconds, 0), most)) * time.Second, true
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if date.IsZero() {
		date = received
	}
	return min(max(until.Sub(date), 0), longestWait), true
}

// location is the URL of what the answer says was made. A relative one is taken relative to the
// request (RFC 9110 §10.2.2).
func (a answer) location() (string, error) {
	value := a.header.Get("Location")
	if value == "" {
		return "", fmt.Errorf("status %d without a Location", a.Status)
	}
	target, ok := resolve(a.request.url, value)
	if !ok {
		return "", fmt.Errorf("the Location %q is no URL", outside.Of(value))
	}
	return target, nil
}

// links returns the targets of the relation in all Link headers (RFC 8288), resolved, in order.
func (a answer) links(relation string) []string {
	var found []string
	for _, target := range parseLinks(a.header.Values("Link"), relation) {
		if target, ok := resolve(a.request.url, target); ok {
			found = append(found, target)
		}
	}
	return found
}

// urlIn is a URL that an answer names. A relative one is taken relative to the request: RFC 8555
// has none, but CAs behind proxies send them.
func (a answer) urlIn(arrived string) string {
	url := addressOf(arrived)
	if url == "" || strings.Contains(url, "://") {
		return url
	}
	if target, ok := resolve(a.request.url, url); ok {
		return target
	}
	return url
}

// urlsIn is a list of URLs that an answer names; what is no text in it is left out, since it could
// not be asked for.
func (a answer) urlsIn(raw json.RawMessage) []string {
	var urls []string
	for _, one := range listOf(raw) {
		if text := textOf(one); text != "" {
			urls = append(urls, a.urlIn(text))
		}
	}
	return urls
}

func resolve(base, reference string) (string, bool) {
	reference = addressOf(reference)
	b, err := url.Parse(base)
	if err != nil {
		return "", false
	}
	u, err := b.Parse(reference)
	if err != nil || reference == "" || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", false
	}
	return addressOf(u.String()), true
}

func parseLinks(values []string, relation string) []string {
	var found []string
	for _, value := range values {
		for value != "" {
			var target, parameters string
			target, parameters, value = cutLink(value)
			if target != "" && hasRelation(parameters, relation) {
				found = append(found, target)
			}
		}
	}
	return found
}

// cutLink splits off the first link-value: what stands in <>, its parameters, and what follows the
// comma after them.
func cutLink(s string) (target, parameters, rest string) {
	_, s, ok := strings.Cut(s, "<")
	if !ok {
		return "", "", ""
	}
	target, s, ok = strings.Cut(s, ">")
	if !ok {
		return "", "", ""
	}
	parameters, rest = cutOutsideQuotes(s, ',')
	return strings.TrimSpace(target), parameters, rest
}

func hasRelation(parameters, relation string) bool {
	for parameters != "" {
		var parameter string
		parameter, parameters = cutOutsideQuotes(parameters, ';')
		name, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for _, r := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(r, relation) {
				return true
			}
		}
		return false // RFC 8288 §3.3: only the first rel counts
	}
	return false
}

// cutOutsideQuotes is strings.Cut at the first separator that is not inside a quoted string.
func cutOutsideQuotes(s string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
