package testca

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
)

// What Boulder shows and Pebble does not (Config.Boulder): a client that takes any of it for something else, or relies on what
// Boulder leaves out, is found here and not at Let's Encrypt.

// boulderBackdate is by how much certificates begin in the past.
const boulderBackdate = time.Hour

// boulderChallenges are the types of challenge that are offered.
func boulderChallenges() []string {
	return []string{acme.ChallengeHTTP01, acme.ChallengeDNS01, acme.ChallengeTLSALPN01}
}

// asBoulder shows an answer as Boulder would.
func (c *CA) asBoulder(r *request, answer *reply) *reply {
	if _, id, signed := strings.Cut(r.kid, accountPath); signed {
		answer.header.Set("Boulder-Requester", id)
	}
	if answer.limited {
		answer.header.Add("Link", "<https://letsencrypt.org/docs/rate-limits>;rel=\"help\"")
	}
	if answer.status >= 300 {
		return answer
	}
	switch r.kind {
	case kindDirectory:
		key := strconv.FormatInt(random(1<<62), 36)
		return answer.amend(func(members map[string]any) {
			members[key] = "https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417"
		})
	case kindNewAccount, kindAccount, kindUpdateAccount, kindDeactivateAccount:
		_, id, _ := strings.Cut(cmp.Or(answer.header.Get("Location"), r.URL.Path), accountPath)
		return answer.amend(func(members map[string]any) {
			delete(members, "contact")
			members["createdAt"] = c.state.enrolled(id).UTC().Format(time.RFC3339)
		})
	case kindOrder:
		answer.header.Set("Location", r.url(r.URL.Path))
		return answer.amend(lowerNames)
	case kindNewOrder, kindFinalize:
		return answer.amend(lowerNames)
	case kindAuthz, kindDeactivate:
		return answer.amend(func(members map[string]any) { c.boulderAuthorization(members) })
	case kindChallenge, kindChallengeIs:
		answer.header.Set("Location", r.url(r.URL.Path))
		return answer.amend(func(members map[string]any) { c.recordValidation(members) })
	}
	return answer
}

// lowerNames writes an order's names in lower case, however they were asked for.
func lowerNames(members map[string]any) {
	list, _ := members["identifiers"].([]any)
	for _, one := range list {
		lowerName(one)
	}
}

func lowerName(identifier any) {
	if members, ok := identifier.(map[string]any); ok {
		value, _ := members["value"].(string)
		members["value"] = strings.ToLower(value)
	}
}

// boulderAuthorization leaves out what Boulder does not offer, and says how what is valid was validated.
func (c *CA) boulderAuthorization(members map[string]any) {
	lowerName(members["identifier"])
	list, _ := members["challenges"].([]any)
	members["challenges"] = slices.DeleteFunc(list, func(one any) bool {
		challenge, _ := one.(map[string]any)
		kind, _ := challenge["type"].(string)
		return !slices.Contains(boulderChallenges(), kind)
	})
	for _, one := range list {
		if challenge, ok := one.(map[string]any); ok {
			c.recordValidation(challenge)
		}
	}
}

// recordValidation adds to a challenge that was tried what the validation met.
func (c *CA) recordValidation(challenge map[string]any) {
	if status := challenge["status"]; status != acme.StatusValid && status != acme.StatusInvalid {
		return
	}
	url, _ := challenge["url"].(string)
	known := c.pebble.store.GetChallengeByID(url[strings.LastIndex(url, "/")+1:])
	if known == nil {
		return
	}
	name := strings.TrimPrefix(known.Authz.Identifier.Value, "*.")
	challenge["validationRecord"] = []any{map[string]any{
		"url": "http://" + name + "/.well-known/acme-challenge/" + known.Token, "hostname": name, "port": "80",
		"addressesResolved": []string{"127.0.0.1"}, "addressUsed": "127.0.0.1"}}
}

// siblingGone refuses a challenge that nobody can answer any more, since another one of its authorization was.
func (c *CA) siblingGone(a *authorization, id string) *problem {
	tried := a.challenge()
	if !c.config.Boulder || a.Status == acme.StatusPending || tried == nil || tried.ID == id {
		return nil
	}
	return problemf(http.StatusNotFound, "malformed", "No such challenge")
}
