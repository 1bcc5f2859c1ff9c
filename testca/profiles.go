package testca

import (
	"fmt"
	"strings"
	"time"
)

// Profiles: what an order asks for decides how long it, its authorizations and its certificate live, and whose valid
// authorizations it may use. Orders of different profiles for the same names are strangers to each other, and still stand in
// each other's way where an earlier one ends reuse.

// Lifetimes says how long objects of a profile live. Zero fields take those of Config.Lifetimes, and zero fields there
// Let's Encrypt's for classic: 7 days, 7 days, 30 days, 90 days. An order expires with the first of its authorizations.
type Lifetimes struct {
	Order, PendingAuthorization, ValidAuthorization, Certificate time.Duration
}

func (l Lifetimes) or(d Lifetimes) Lifetimes {
	pick := func(a, b time.Duration) time.Duration {
		if a > 0 {
			return a
		}
		return b
	}
	return Lifetimes{pick(l.Order, d.Order), pick(l.PendingAuthorization, d.PendingAuthorization),
		pick(l.ValidAuthorization, d.ValidAuthorization), pick(l.Certificate, d.Certificate)}
}

const day = 24 * time.Hour

// classic is Let's Encrypt's profile of that name, as of 2026.
func classic() Lifetimes { return Lifetimes{7 * day, 7 * day, 30 * day, 90 * day} }

// LetsEncryptProfiles are those of Let's Encrypt's in which objects live otherwise than in classic, as of 2026.
func LetsEncryptProfiles() map[string]Lifetimes {
	return map[string]Lifetimes{
		"classic":    classic(),
		"tlsserver":  {8 * time.Hour, time.Hour, 7 * time.Hour, 45 * day},
		"shortlived": {8 * time.Hour, time.Hour, 7 * time.Hour, 160 * time.Hour},
	}
}

// lifetimes are those of the profile an order asked for; "" is the default.
func (c *CA) lifetimes(profile string) Lifetimes {
	return c.config.Profiles[profile].or(c.config.Lifetimes)
}

// readProfile reads NAME=CERTIFICATE[,order=D][,authz=D][,valid-authz=D], in which everything but the name is a duration.
func readProfile(text string) (name string, l Lifetimes, err error) {
	name, rest, _ := strings.Cut(text, "=")
	for i, part := range strings.Split(rest, ",") {
		what, duration, named := strings.Cut(part, "=")
		if i == 0 && !named {
			what, duration = "certificate", part
		}
		field := map[string]*time.Duration{"certificate": &l.Certificate, "order": &l.Order, "authz": &l.PendingAuthorization,
			"valid-authz": &l.ValidAuthorization}[what]
		if field == nil {
			return "", Lifetimes{}, fmt.Errorf("a profile has no lifetime %q", what)
		}
		if *field, err = time.ParseDuration(duration); err != nil {
			return "", Lifetimes{}, err
		}
	}
	return name, l, nil
}
