package host

import (
	"reflect"
	"testing"

	"orderly/certbot"
)

// full fills each setting of a value, at any depth, with one that was said.
func full(t *testing.T, v reflect.Value, number int) {
	t.Helper()
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *Value[string]:
			*f = Say(string(rune('a' + number)))
		case *Value[int]:
			*f = Say(number)
		case *Value[bool]:
			*f = Say(number%2 == 1)
		case *Hooked, *Choice, *Proof:
			full(t, v.Field(i), number)
		}
	}
}

// Whoever adds a setting and forgets to lay it over another loses what the renewal file says of it
// with the next renewal.
func TestNoSettingIsForgottenWhereOneIsLaidOverAnother(t *testing.T) {
	var upper, lower Said
	full(t, reflect.ValueOf(&upper).Elem(), 1)
	full(t, reflect.ValueOf(&lower).Elem(), 2)
	if got := upper.Over(lower); got.Choice != upper.Choice || got.Proof != upper.Proof ||
		got.Hooks != upper.Hooks {
		t.Errorf("all was said, and came to %+v", got)
	}
	if got := (Said{}).Over(lower); got.Choice != lower.Choice || got.Proof != lower.Proof ||
		got.Hooks != lower.Hooks {
		t.Errorf("nothing was said, and came to %+v", got)
	}
}

// What is said to be nothing is another thing than what nobody mentions.
func TestWhatIsSaidToBeNothingIsTakenAway(t *testing.T) {
	l := lineage(func(p *certbot.Params) { p.ReuseKey, p.MustStaple = true, true }, "a.example")
	l.Renewal.PrivKey = "/live/privkey.pem"
	said := Said{Hooks: Hooked{Pre: Say("")}, Choice: Choice{MustStaple: Say(false)}}
	r, err := FromFile(l, said)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Commands{Post: "post", Deploy: "deploy"}); r.Hooks != want || r.MustStaple ||
		!r.ReuseKey {
		t.Errorf("%+v", r)
	}
	changes := said.Changes(r)
	removed := map[string]bool{}
	for _, key := range changes.Remove {
		removed[key] = true
	}
	if !removed["pre_hook"] || !removed["must_staple"] || removed["post_hook"] ||
		removed["reuse_key"] {
		t.Errorf("taken away: %q", changes.Remove)
	}
}

// Another type of key has a size and a curve of its own; of the two ways to name a profile one
// takes the place of both.
func TestSettingsThatBelongTogetherAreLaidOverTogether(t *testing.T) {
	file := Choice{KeyType: Say("rsa"), RSABits: Say(4096), RequiredProfile: Say("classic")}
	got := Choice{KeyType: Say("ecdsa"), PreferredProfile: Say("short")}.over(file)
	if got.RSABits.Said() || got.RequiredProfile.Said() || got.PreferredProfile.Is() != "short" {
		t.Errorf("%+v", got)
	}
	if got = (Choice{KeyType: Say("rsa")}).over(file); got.RSABits.Is() != 4096 ||
		got.RequiredProfile.Is() != "classic" {
		t.Errorf("%+v", got)
	}
}
