package diagnose_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"orderly/diagnose"
	"orderly/outside"
)

// exampleName is a name of the collected texts.
var exampleName = regexp.MustCompile(`(?i)(?:[a-z0-9_\p{Latin}-]+\.)+example\b`)

// otherNames are what sites may be called: words of CAs' and of clients', countries', providers' and
// the CAs' own.
var otherNames = []string{"servfail-timeout.refused.co.uk", "www.nxdomain.caa", "xn--bcher-kva.de", "hook.io",
	"connection-refused.com", "a.b.c.d.e.museum", "letsencrypt.shop", "acme-tools.org", "certbot.eff.app",
	"192-0-2-10.static.provider.net", "dns.google", "1.2.3.example.com", "x.xn--p1ai", "no-start-line.email",
	"during-secondary.validation", "my_site.example.org", "error.page", "account-deactivated.info"}

// rows are the texts of a file with the classes and names that they should have.
func rows(t *testing.T, file string) (all [][3]string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3); len(f) == 3 && f[0] != "class" {
			all = append(all, [3]string{f[0], f[1], unescaped(f[2])})
		}
	}
	return all
}

// told are the classes of a text, and the names that it is about.
func told(text string) (classes, names string) {
	var all, about []string
	for _, f := range diagnose.Text(text, ours) {
		all, about = append(all, string(f.Class)), append(about, f.Name)
	}
	return strings.Join(all, ","), strings.Join(about, ",")
}

// What a site is called does not choose its class, and it is told by its own name.
func TestNamesDoNotChangeAClass(t *testing.T) {
	for _, file := range []string{"testdata/more-texts.tsv", "testdata/fresh-texts.tsv"} {
		for n, row := range rows(t, file) {
			for shift := range otherNames {
				renamed := map[string]string{}
				rename := func(name string) string {
					ascii, _ := outside.Name(name)
					if _, known := renamed[ascii]; !known {
						renamed[ascii] = otherNames[(shift+len(renamed)*5)%len(otherNames)]
					}
					return renamed[ascii]
				}
				text := exampleName.ReplaceAllStringFunc(row[2], rename)
				want := row[0] + " " + exampleName.ReplaceAllStringFunc(row[1], rename)
				classes, names := told(text)
				if got := classes + " " + names; got != want {
					t.Errorf("%s text %d is %s, want %s: %.300q", file, n, got, want, text)
				}
			}
		}
	}
}
