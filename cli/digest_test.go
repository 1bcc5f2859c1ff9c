package cli_test

// Whole digests, by way of a command that keeps what it is told.

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly/deliver"
	"orderly/testca"
)

// digests makes a host whose digests go to a file, and is that file.
func digests(t *testing.T, h *host, more string) string {
	t.Helper()
	out := filepath.Join(h.dir, "told")
	h.write(filepath.Join(h.config, "orderly", "digest.toml"), "[[channel]]\nname = \"file\"\nkind = \"command\"\n"+
		"run = \"cat >>"+out+"\"\n"+more)
	return out
}

// What was told is told no second time; what is mended is, once.
func TestAChangeIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("renew").says(t, 0, "")
	out := digests(t, h, "")
	broken := filepath.Join(h.config, "renewal", "a.example.com.conf")
	w.write(broken, "a bare word\n")
	h.orderly("digest").says(t, 0, "Somebody must act: 1 certificate cannot be renewed.", "file: delivered.")
	told := w.read(out)
	if !strings.Contains(told, "D1: ") || !strings.Contains(told, "a.example.com: ") {
		t.Error(told)
	}
	h.orderly("digest").says(t, 0, "Nothing has changed since the last digest; nothing is sent.")
	if w.read(out) != told {
		t.Errorf("told twice: %s", w.read(out))
	}
	w.remove(broken)
	h.orderly("digest").says(t, 0, "Nobody has to do anything new: 1 mended.")
	if now := strings.TrimPrefix(w.read(out), told); !strings.Contains(now, "MENDED") || strings.Contains(now, "NEW") {
		t.Error(now)
	}
	h.orderly("digest", "--json").says(t, 0, `"act": false`, `"channels": []`)
}

// That a channel fails is told by the others, and by the doctor; --test says what each does.
func TestAChannelThatFailsIsAFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("renew").says(t, 0, "")
	out := digests(t, h, "[[channel]]\nname = \"bad\"\nkind = \"command\"\nrun = \"echo no paper >&2; exit 3\"\n")
	h.orderly("digest", "--test").says(t, 1, "file: the test message is delivered.",
		"bad: the test message is not delivered: the command ended with exit status 3: no paper")
	if told := w.read(out); !strings.HasPrefix(told, "[test] ") || !strings.Contains(told, "Nobody has to do anything.") {
		t.Error(told)
	}
	h.orderly("doctor").says(t, 3, "D53", "the channel bad: the command ended with exit status 3: no paper")
	h.orderly("digest").says(t, 1, "there is something new to know", "bad: not delivered, 1 waiting")
	if told := w.read(out); !strings.Contains(told, "D53: Digests do not arrive") {
		t.Error(told)
	}
	h.orderly("digest").says(t, 0, "nothing is sent", "bad: 1 waiting")
	digests(t, h, "")
	h.orderly("digest").says(t, 0, "")
	h.orderly("doctor").says(t, 0, "nothing found")
}

// One mail of many servers: what each of them writes is read, and what is no document is told.
func TestADigestOfManyServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	reports := filepath.Join(w.dir, "reports")
	var central *host
	for _, name := range []string{"one", "two"} {
		h := w.host(name)
		h.orderly("renew").says(t, 0, "")
		w.write(filepath.Join(h.config, "renewal", "a.example.com.conf"), "a bare word\n")
		r := h.orderly("digest", "--export")
		r.says(t, 0, `"failures": []`)
		w.write(filepath.Join(reports, name+".json"), r.stdout)
		central = h
	}
	w.write(filepath.Join(reports, "torn.json"), `{"version":1,"server":"th`)
	out := digests(t, central, "")
	central.orderly("digest", "--merge", reports).says(t, 0, "Somebody must act: 2 certificates cannot be renewed")
	told := w.read(out)
	for _, want := range []string{"[2 servers] act: 2 new, 1 report missing", "torn.json: half a report", " a.example.com: "} {
		if !strings.Contains(told, want) {
			t.Errorf("no %s in %s", want, told)
		}
	}
	if err := os.Remove(filepath.Join(reports, "one.json")); err != nil {
		t.Fatal(err)
	}
	central.orderly("digest", "--merge", reports).says(t, 0, "nothing is sent") // nobody looked at the other
}

func TestADigestSaysWhatIsWrongWithItsFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("renew").says(t, 0, "")
	h.orderly("digest").says(t, 1, "nobody is told: ", "digest --help")
	digests(t, h, "[[channel]]\nname = \"x\"\nkind = \"fax\"\n")
	h.orderly("digest").says(t, 1, `digest.toml, line 7: kind = "fax": not one of smtp, sendmail, webhook, command`)
	h.orderly("digest", "--test", "--export").says(t, 2, "three different things")
}

// An operator has no other list of the settings than this help.
func TestTheHelpOfDigestHasEverySetting(t *testing.T) {
	t.Parallel()
	parser, err := os.ReadFile("../deliver/config.go")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`toml:"(\w+)"`).FindAllSubmatch(parser, -1)
	if len(settings) < 14 {
		t.Fatalf("%d settings were found", len(settings))
	}
	help := show(t, []string{"digest", "--help"})
	for _, s := range settings {
		if name := string(s[1]); !strings.Contains(help, name+" = ") && name != "channel" {
			t.Errorf("%s is not in the help: %s", name, help)
		}
	}
}

// What the README shows works as it is typed.
func TestTheChannelInTheReadmeIsUnderstood(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "/orderly/digest.toml <<'END'\n")
	example, _, found := strings.Cut(after, "    END\n")
	if !found {
		t.Fatal("the README has no example")
	}
	config, err := deliver.Parse(strings.ReplaceAll(example, "\n    ", "\n"), "digest.toml")
	if err != nil || len(config.Channels) != 1 || config.Every != 20*time.Hour {
		t.Errorf("%+v, %v", config, err)
	}
}

// What the help shows works as it is pasted.
func TestTheChannelsInTheHelpAreUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	help := w.host("one").orderly("digest", "--help").stdout
	_, after, _ := strings.Cut(help, "/orderly/digest.toml:\n\n")
	pasted, _, found := strings.Cut(after, "Exit codes: ")
	if !found {
		t.Fatalf("the help has no example: %s", help)
	}
	config, err := deliver.Parse(pasted, "/etc/letsencrypt/orderly/digest.toml")
	if err != nil || len(config.Channels) != 4 || config.Every != 20*time.Hour {
		t.Errorf("%+v, %v", config, err)
	}
}

// With `every`, an hourly run delivers what waits, and makes no digest before its time.
func TestADigestIsMadeAsOftenAsIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("renew").says(t, 0, "")
	out := digests(t, h, "")
	path := filepath.Join(h.config, "orderly", "digest.toml")
	h.write(path, "every = \"20h\"\n"+h.read(path))
	h.write(h.conf("a.example.com"), "a bare word\n")
	h.orderly("digest").says(t, 0, "Somebody must act")
	h.write(h.conf("b.example.com"), "a bare word\n")
	told := h.read(out)
	h.orderly("digest").says(t, 0, "It is not time for another digest yet (every = 20h0m0s).")
	h.orderly("digest", "--json").says(t, 0, `"digest": null`)
	if h.read(out) != told {
		t.Errorf("told: %s", h.read(out))
	}
	h.write(path, strings.Replace(h.read(path), "20h", "0s", 1))
	h.orderly("digest").says(t, 0, "Somebody must act: 1 certificate")
}
