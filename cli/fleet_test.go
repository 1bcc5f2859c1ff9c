package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
)

func TestTheFleetsAddressesAreReadOrToldWithTheirLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fleet")
	for text, want := range map[string]string{
		"198.51.100.7\n": "[198.51.100.7/32]",
		"\ufeff# ours\n 198.51.100.0/24 # the first\r\n\n2001:db8::1\n2001:db8:1::7/48": "[198.51.100.0/24 2001:db8::1/128 2001:db8:1::/48]",
		"::ffff:198.51.100.7":           "[198.51.100.7/32]",
		"198.51.100.7\n\nexample.com\n": "line 3: example.com",
		"198.51.100.7 198.51.100.8\n":   "line 1: 198.51.100.7 198.51.100.8",
		"198.51.100.7/33\n":             "line 1: 198.51.100.7/33",
		"fe80::1%eth0\n":                "line 1: fe80::1%eth0",
		"a\x1b[31m\n":                   "line 1: ",
		"# nothing\n":                   "has no address",
		"":                              "has no address",
		strings.Repeat("1", 100_000):    "cannot be read",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fleet, err := fleetAddresses(path)
		got := fmt.Sprint(fleet)
		if err != nil {
			got = err.Error()
			if failure.ClassOf(err) != failure.Config || failure.RemedyOf(err) == "" || strings.Contains(got, "\x1b") || !strings.Contains(got, path) && !strings.Contains(got, "cannot be read") {
				t.Errorf("class %s, remedy %q, %q", failure.ClassOf(err), failure.RemedyOf(err), got)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%.60q: %s, want %s", text, got, want)
		}
	}
	for _, odd := range []string{filepath.Dir(path), path + "-none", os.DevNull} {
		if _, err := fleetAddresses(odd); failure.ClassOf(err) != failure.Config || failure.RemedyOf(err) == "" {
			t.Errorf("%s: %v", odd, err)
		}
	}
}
