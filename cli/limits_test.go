package cli_test

// What limits tells of a CA, and of what can be written of one.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"orderly/testca"
)

// An operator has no other list of the settings of ca.toml than this help.
func TestTheHelpOfLimitsHasEverySetting(t *testing.T) {
	t.Parallel()
	parser, err := os.ReadFile("../limit/profile.go")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`toml:"(\w+)"`).FindAllSubmatch(parser, -1)
	if len(settings) < 10 {
		t.Fatalf("%d settings were found", len(settings))
	}
	help := show(t, []string{"limits", "--help"})
	for _, s := range settings {
		if !regexp.MustCompile(`\b` + string(s[1]) + `\b`).MatchString(help) {
			t.Errorf("%s is not in the help: %s", s[1], help)
		}
	}
}

// Two CAs that nobody has given a name are not both "generic".
func TestLimitsTellsNamelessCAsApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Boulder: true})
	h := w.host("one")
	w.write(filepath.Join(h.config, "orderly", "ca.toml"), "[[ca]]\ndirectory = \""+
		w.ca.DirectoryURL()+"\"\n[ca.limits]\nNewOrdersPerAccount = \"300/3h\"\n")
	h.lineages("a.example.com")
	host, _, _ := strings.Cut(strings.TrimPrefix(w.ca.DirectoryURL(), "https://"), "/")
	h.orderly("limits").says(t, 0, "NewOrdersPerAccount at "+host)
	h.orderly("limits", "--json").says(t, 0, `"ca": "`+host+`"`)
}
