package host

import (
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

func TestWhatTheCommandLineSaysCountsBeforeTheRenewalFile(t *testing.T) {
	reusing := certbot.Params{KeyType: "rsa", RSAKeySize: 4096, ReuseKey: true, PreferredChain: "old root", RequiredProfile: "classic"}
	for _, c := range []struct {
		name    string
		choice  Choice
		file    *certbot.Params // nil: a new lineage
		want    ledger.Request
		refused string
	}{
		{"nothing is said of a new lineage", Choice{}, nil, ledger.Request{KeyType: "ecdsa"}, ""},
		{"a new lineage that is to reuse its key", Choice{ReuseKey: Say(true), Curve: Say("secp384r1")}, nil, ledger.Request{KeyType: "ecdsa", Curve: "secp384r1", ReuseKey: true}, ""},
		{"a file without key_type is read as rsa", Choice{}, &certbot.Params{KeyType: "rsa"}, ledger.Request{KeyType: "rsa"}, ""},
		{"the file's word stays", Choice{}, &reusing, ledger.Request{KeyType: "rsa", RSABits: 4096, ReuseKey: true, OldKey: "/live/privkey.pem", PreferredChain: "old root", Profile: "classic"}, ""},
		{"a preferred profile replaces a required one", Choice{PreferredProfile: Say("shortlived")}, &reusing, ledger.Request{KeyType: "rsa", RSABits: 4096, ReuseKey: true, OldKey: "/live/privkey.pem", PreferredChain: "old root", PreferredProfile: "shortlived"}, ""},
		{"--new-key", Choice{NewKey: true, KeyType: Say("ecdsa")}, &reusing, ledger.Request{KeyType: "ecdsa", ReuseKey: true, PreferredChain: "old root", Profile: "classic"}, ""},
		{"--no-reuse-key", Choice{ReuseKey: Say(false)}, &reusing, ledger.Request{KeyType: "rsa", RSABits: 4096, PreferredChain: "old root", Profile: "classic"}, ""},
		{"another type of key that is reused", Choice{KeyType: Say("ecdsa")}, &reusing, ledger.Request{}, string(failure.Do(failure.KeyType))},
		{"another size of key that is reused", Choice{RSABits: Say(3072)}, &reusing, ledger.Request{}, string(failure.Do(failure.KeySize))},
		{"the same size of key that is reused", Choice{RSABits: Say(4096)}, &reusing, ledger.Request{KeyType: "rsa", RSABits: 4096, ReuseKey: true, OldKey: "/live/privkey.pem", PreferredChain: "old root", Profile: "classic"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l *certbot.Lineage
			if c.file != nil {
				l = &certbot.Lineage{Name: "a", Renewal: &certbot.Renewal{PrivKey: "/live/privkey.pem", Params: *c.file}}
			}
			var r Request
			err := Said{Choice: c.choice}.Complete(&r, l)
			if c.refused != "" {
				if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), c.refused) || failure.RemedyOf(err) == "" {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || !equal(r.Request, c.want) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// equal compares what apply decides.
func equal(a, b ledger.Request) bool {
	return a.KeyType == b.KeyType && a.RSABits == b.RSABits && a.Curve == b.Curve && a.ReuseKey == b.ReuseKey && a.OldKey == b.OldKey &&
		a.Profile == b.Profile && a.PreferredProfile == b.PreferredProfile && a.PreferredChain == b.PreferredChain
}
