package limit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/limit"
)

func TestWhatAnOrderCosts(t *testing.T) {
	o := limit.Order{Names: []string{"WWW.a.example.co.uk", "a.example.co.uk"}}
	set := limit.Bucket{Name: limit.CertificatesPerFQDNSet, Key: "a.example.co.uk,www.a.example.co.uk"}
	domain := limit.Bucket{Name: limit.CertificatesPerDomain, Key: "example.co.uk"}
	if got := limit.Spent(o); !slices.Equal(got, []limit.Bucket{{Name: limit.NewOrdersPerAccount}}) {
		t.Errorf("newOrder spends %v", got)
	}
	if got := limit.Issued(o); !slices.Equal(got, []limit.Bucket{set, domain}) {
		t.Errorf("an issuance spends %v", got)
	}
	if got := limit.Checked(o); len(got) != 4 || got[0] != set || got[3] != domain || got[1] != limit.Failed("A.example.co.uk") {
		t.Errorf("newOrder is checked for %v", got)
	}
	o.Renewal = true
	if got := limit.Spent(o); got != nil {
		t.Errorf("a renewal spends %v", got)
	}
	if got := limit.Issued(o); !slices.Equal(got, []limit.Bucket{set}) {
		t.Errorf("a renewal's issuance spends %v", got)
	}
	if got := limit.Checked(o); len(got) != 3 {
		t.Errorf("a renewal is checked for %v", got)
	}
	o.Exempt = true
	if got := limit.Checked(o); got != nil {
		t.Errorf("a replacement in its window is checked for %v", got)
	}
	addresses := limit.Issued(limit.Order{Names: []string{"192.0.2.1", "2001:db8::1", "2001:db8::2"}})
	if len(addresses) != 3 || addresses[1].Key != "192.0.2.1" || addresses[2].Key != "2001:db8::/64" {
		t.Errorf("addresses spend %v", addresses)
	}
}

func TestA429NamesItsLimit(t *testing.T) {
	for detail, want := range map[string]string{
		"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-23 21:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account": limit.NewOrdersPerAccount,
		"too many failed authorizations (5) for \"a.example\": see https://letsencrypt.org/docs/rate-limits/#authorization-failures-per-identifier-per-account":                     limit.FailedAuthorizationsPerDomainPerAccount,
		"see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers":                                                                               limit.CertificatesPerFQDNSet,
		"see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain":                                                                                      limit.CertificatesPerDomain,
		"too many currently pending authorizations: see https://letsencrypt.org/docs/rate-limits/":                                                                                  limit.PendingAuthorizationsPerAccount,
		"slow down": "",
	} {
		if got := limit.FromProblem(detail); got != want {
			t.Errorf("%s: %q", detail, got)
		}
	}
}

func TestTheBuiltInProfiles(t *testing.T) {
	p, err := limit.Load("", "ca.toml")
	if err != nil {
		t.Fatal(err)
	}
	le := p.For("https://acme-v02.api.letsencrypt.org/directory", true)
	if le.Name != "letsencrypt" || !le.ChargesDeactivation || !le.ReusesOrders || le.CountsPending != 0 ||
		le.Limits[limit.NewOrdersPerAccount] != (limit.Limit{Name: limit.NewOrdersPerAccount, Count: 300, Period: 3 * time.Hour}) {
		t.Errorf("%+v", le)
	}
	if b := p.For("https://ca.example/dir", true); b.Name != "boulder" || !b.HidesProcessing || len(b.Limits) != 0 {
		t.Errorf("%+v", b)
	}
	if g := p.For("https://ca.example/dir", false); g.Name != "generic" || g.ReusesOrders || g.LongestValidation != time.Minute {
		t.Errorf("%+v", g)
	}
}

func TestAnOperatorsFileIsLaidOverThem(t *testing.T) {
	p, err := limit.Load(`
[[ca]]
directory = "https://acme-v02.api.letsencrypt.org/directory"
share = "1/20"
[ca.limits]
NewOrdersPerAccount = "3000/3h"

[[ca]]
directory = "https://old.example/dir"
boulder = true
counts_pending = 300
charges_deactivation = false
order_lifetime = "24h"
`, "ca.toml")
	if err != nil {
		t.Fatal(err)
	}
	le := p.For("https://acme-v02.api.letsencrypt.org/directory", true)
	if le.Limits[limit.NewOrdersPerAccount].Count != 150 || le.Name != "letsencrypt" {
		t.Errorf("%+v", le)
	}
	old := p.For("https://old.example/dir", false)
	if old.CountsPending != 300 || old.ChargesDeactivation || !old.HidesProcessing || old.OrderLifetime != 24*time.Hour {
		t.Errorf("%+v", old)
	}
}

// A part of 5 duplicates in a week is less than one: a divided limit of a name set forbids its second renewal.
func TestAShareDividesWhatIsShared(t *testing.T) {
	for _, test := range []struct {
		settings string
		want     map[string]int64
	}{
		{`share = "1/20"`, map[string]int64{limit.NewOrdersPerAccount: 15, limit.CertificatesPerDomain: 2,
			limit.CertificatesPerFQDNSet: 5, limit.FailedAuthorizationsPerDomainPerAccount: 5}},
		{"share = \"1/20\"\ndomains_spread = false", map[string]int64{limit.NewOrdersPerAccount: 15, limit.CertificatesPerDomain: 50,
			limit.CertificatesPerFQDNSet: 5, limit.FailedAuthorizationsPerDomainPerAccount: 5}},
		{`share = "1/1"`, map[string]int64{limit.NewOrdersPerAccount: 300, limit.CertificatesPerDomain: 50}},
		{`share = "1/9223372036854775807"`, map[string]int64{limit.NewOrdersPerAccount: 1}},
		{`share = "9223372036854775806/9223372036854775807"`, map[string]int64{limit.NewOrdersPerAccount: 300}},
	} {
		p, err := limit.Load("[[ca]]\ndirectory = \"https://acme-v02.api.letsencrypt.org/directory\"\n"+test.settings, "ca.toml")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range test.want {
			if got := p.For("https://acme-v02.api.letsencrypt.org/directory", true).Limits[name]; got.Count != want {
				t.Errorf("%s: %s is %d, not %d", test.settings, name, got.Count, want)
			}
		}
	}
}

func TestALimitSaysWhatItIsAShareOf(t *testing.T) {
	l := limit.Limit{Name: limit.NewOrdersPerAccount, Count: 300, Period: 3 * time.Hour}
	if got := l.Says(); got != "300 in 3h" {
		t.Errorf("%s", got)
	}
	if got := l.Share(1, 20).Says(); got != "15 in 3h, which is share = 1/20 of the account's 300" {
		t.Errorf("%s", got)
	}
	if got := (limit.Limit{Count: 1, Period: 90 * time.Second}).Says(); got != "1 in 1m30s" {
		t.Errorf("%s", got)
	}
}

func TestAFileThatIsWrongNamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"[[ca]]\nname = \"x\"\n\n[[ca]]\nname = \"y\"\nshare = \"half\"\n":                "ca.toml, line 6: ca y: share",
		"[[ca]]\nname = \"x\"\nshare = \"1/2\"\n[[ca]]\nname = \"y\"\n share = \"2/1\"\n": "line 6: ca y: share",
		"[[ca]]\nname = \"x\"\n# colour = 1\ncolour = \"red\"\n":                          "line 4: there is no setting ca.colour",
		"[[ca]]\nname = \"x\"\n[[ca]]\nboulder = true\n":                                  "line 3",
		"[[ca]]\nname = \"x\"\nboulder = \"yes\"\n":                                       "line 3",
		"[[ca]]\nname = \"x\"\n[ca.limits]\nNewOrders = \"1/1h\"\n":                       "line 4: ca x: NewOrders",
		"[[ca]]\nname = \"x\"\nlimits.NewOrdersPerAccount = \"-3/1h\"\n":                  "line 3: ca x: NewOrdersPerAccount",
		"[[ca]]\nname = \"x\"\n[ca.limits]\n\"CertificatesPerDomain\" = \"5 a week\"\n":   "line 4: ca x: CertificatesPerDomain",
		"[[ca]]\nname = \"x\"\ncounts_pending = \"12\"\n":                                 "line 3: ca.counts_pending must be a whole number without quotation marks",
		"[[ca]]\nname = \"x\"\nname = \"y\"\n":                                            "line 3: ca.name is set twice",
		"[[ca]]\nname\n":                                                                  "line 2: a setting is written as name = value",
		"[[ca]]\nname = x\n":                                                              "line 2: what stands behind = is no value",
		"[[ca]]\nname = \n":                                                               "line 2: nothing stands behind =",
		"[[ca]]\nname = \"x\n":                                                            "line 2: a quotation mark is missing",
		"[[ca]\nname = \"x\"\n":                                                           "a heading is written as [[ca]]",
		"[ca]\nname = \"x\"\n":                                                            "line 1: ca must be a heading of its own, [[ca]]",
		"[[ca]]\nname = \"x\" \"y\"\n":                                                    "line 2: something stands behind what is complete",
		"[[ca]]\nlimits = { a = \"b\"\n":                                                  "line 2: what begins with { or [ is not ended",
		"ca = [{name = \"x\", share = \"2/1\"}]\n":                                        "ca x: share",
	} {
		if _, err := limit.Load(text, "ca.toml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAFileThatIsWrongNamesTheKey(t *testing.T) {
	for text, want := range map[string]string{
		"[[ca]]\nname = ":                                                           "line 2",
		"[[ca]]\nname = \"x\"\ncolour = \"red\"\n":                                  "ca.colour",
		"[[ca]]\nboulder = true\n":                                                  "needs a name",
		"[[ca]]\nname = \"x\"\nshare = \"2/1\"\n":                                   "share",
		"[[ca]]\nname = \"x\"\norder_lifetime = \"long\"\n":                         "order_lifetime",
		"[[ca]]\nname = \"x\"\ncounts_pending = -1\n":                               "counts_pending",
		"[[ca]]\nname = \"x\"\n[ca.limits]\nNewOrders = \"1/1h\"\n":                 "NewOrders",
		"[[ca]]\nname = \"x\"\n[ca.limits]\nNewOrdersPerAccount = \"-3/1h\"\n":      "NewOrdersPerAccount",
		"[[ca]]\nname = \"x\"\n[ca.limits]\nCertificatesPerDomain = \"5 a week\"\n": "CertificatesPerDomain",
	} {
		_, err := limit.Load(text, "ca.toml")
		if failure.ClassOf(err) != failure.Config || failure.RemedyOf(err) == "" || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ca.toml") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("[[ca]]\nname = \"generic\"\n[ca.limits]\nNewOrdersPerAccount = \"1/1h\"\n")
	f.Add("[[ca]]\ndirectory = \"x\"\nshare = \"1/9223372036854775807\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := limit.Load(text, "ca.toml")
		if err != nil {
			return
		}
		for _, ca := range p {
			for _, l := range ca.Limits {
				if d := l.Spend(time.Time{}, start, 1); !d.Allowed {
					t.Errorf("a full bucket of %+v gives nothing", l)
				}
			}
		}
	})
}

// Orders of Let's Encrypt's short profiles live for eight hours, and an operator may know of others.
func TestOrdersOfSomeProfilesLiveShorter(t *testing.T) {
	p, err := limit.Load("[[ca]]\nname = \"x\"\ndirectory = \"https://x.example/dir\"\norder_lifetimes = { day = \"24h\" }\n", "ca.toml")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.For("https://acme-v02.api.letsencrypt.org/directory", true).OrderLifetimes["shortlived"]; got != 8*time.Hour {
		t.Errorf("shortlived: %s", got)
	}
	if got := p.For("https://x.example/dir", false).OrderLifetimes; len(got) != 1 || got["day"] != 24*time.Hour {
		t.Errorf("%v", got)
	}
	if _, err := limit.Load("[[ca]]\nname = \"x\"\norder_lifetimes = { day = \"soon\" }\n", "ca.toml"); err == nil {
		t.Error("soon is no time")
	}
}
