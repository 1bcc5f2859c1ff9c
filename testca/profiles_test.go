package testca_test

import (
	"testing"
	"time"

	"orderly/testca"
)

// A valid authorization is of use to orders of its own profile alone, as at Boulder.
func TestValidAuthorizationsStayWithinTheirProfile(t *testing.T) {
	l := start(t, testca.Config{AuthzReuse: true, Profiles: testca.LetsEncryptProfiles()})
	c := l.client()
	short := map[string]any{"profile": "shortlived"}
	first := c.order("a.example.com").want(t, 201, "")
	c.authorize(first)
	other := c.orderWith(short, "a.example.com").want(t, 201, "")
	if other.str("status") != "pending" || other.list("authorizations")[0] == first.list("authorizations")[0] {
		t.Fatalf("an order of another profile got the authorization: %s", other.text)
	}
	c.authorize(other)
	if again := c.orderWith(short, "a.example.com").want(t, 201, ""); again.list("authorizations")[0] != other.list("authorizations")[0] {
		t.Error("an order of the same profile did not get the authorization")
	}
	if again := c.order("a.example.com").want(t, 201, ""); again.list("authorizations")[0] != first.list("authorizations")[0] {
		t.Error("an order without a profile did not get the one that was made without")
	}
}

// An order of a profile with short lifetimes is gone while one of another still lives, and so are its authorizations.
func TestProfilesHaveLifetimesOfTheirOwn(t *testing.T) {
	l := start(t, testca.Config{AuthzReuse: true, Profiles: testca.LetsEncryptProfiles()})
	c := l.client()
	short := map[string]any{"profile": "shortlived"}
	pending, long := c.orderWith(short, "a.example.com").want(t, 201, ""), c.order("a.example.com").want(t, 201, "")
	ready := c.orderWith(short, "b.example.com").want(t, 201, "")
	c.authorize(ready)
	l.ca.Advance(61 * time.Minute)
	c.get(pending.url()).want(t, 404, "malformed")
	c.get(long.url()).want(t, 200, "")
	if n := l.ca.Truth().Pending(); n != 1 {
		t.Errorf("%d authorizations are pending, not 1", n)
	}
	if again := c.orderWith(short, "b.example.com").want(t, 201, ""); again.str("status") != "ready" {
		t.Errorf("the valid authorization was not reused: %s", again.text)
	}
	l.ca.Advance(6 * time.Hour)
	if again := c.orderWith(short, "b.example.com").want(t, 201, ""); again.str("status") != "pending" {
		t.Errorf("a valid authorization was reused after seven hours: %s", again.text)
	}
}
