package schedule

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What a line runs is seen command by command: a test for a directory before it, or a reload
// behind it, are no flags of the renewal.

// client is a program that renews, and how it is told to.
type client struct {
	name     string
	programs []string // what its base name begins with
	// verbs begin words of which one stands behind it, up to a "=" or wholly; none: it always does.
	verbs []string
}

// clients are those that are known. That of certbot's and Orderly's own comes first.
func clients() []client {
	return []client{
		{"certbot", []string{"certbot", "letsencrypt", "orderly"}, []string{"renew"}},
		{"certbot", []string{"certbot.renew"}, nil}, // the snap's
		{"acme.sh", []string{"acme.sh"}, []string{"--cron", "--renew-all", "--renewAll"}},
		{"dehydrated", []string{"dehydrated"}, []string{"-c", "--cron"}},
		{"lego", []string{"lego"}, []string{"renew"}},
		{"getssl", []string{"getssl"}, []string{"-a", "--all", "-u"}},
		{"uacme", []string{"uacme"}, []string{"issue"}},
		{"acmetool", []string{"acmetool"}, []string{"reconcile"}},
		{"acme-client", []string{"acme-client"}, nil},
		{"simp_le", []string{"simp_le"}, nil},
		{"Crypt::LE", []string{"le.pl", "crypt-le"}, []string{"--renew"}},
		{"cPanel AutoSSL", []string{"autossl_check"}, nil},
		{"HestiaCP or VestaCP", []string{"v-update-letsencrypt-ssl"}, nil},
		{"Webmin", []string{"letsencrypt-cron.pl"}, nil},
		{"Virtualmin", []string{"collectinfo.pl"}, nil},
		{"DirectAdmin", []string{"letsencrypt.sh"}, []string{"renew"}},
		{"DirectAdmin", []string{"dataskq"}, nil},
		{"CloudPanel", []string{"clpctl"}, []string{"lets-encrypt:renew:certificates"}},
		{"ISPmanager", []string{"mgrctl"}, []string{"letsencrypt.periodic"}},
		{"aaPanel", []string{"acme_v2.py"}, []string{"--renew", "--renew_v2", "--renew_v3"}},
		{ispconfig, []string{"cron.sh"}, nil},
	}
}

// ispconfig runs certbot's renew, or acme.sh where that is installed.
const ispconfig = "ISPConfig"

// idle reports whether a client that is started does not renew here.
func (h Host) idle(client, program string) bool {
	switch client {
	case ispconfig:
		return !strings.HasPrefix(program, "/usr/local/ispconfig/")
	case "DirectAdmin":
		return slices.Contains(h.read(h.path("usr/local/directadmin/conf/directadmin.conf")), "letsencrypt=0")
	}
	return false
}

// through makes a panel that renews by certbot, where acme.sh is not installed, one of certbot's.
func (r *Renewer) through(h Host) {
	certbot := h.program("certbot")
	if certbot == "" || h.program("/root/.acme.sh/acme.sh") != "" {
		return
	}
	r.Program, r.Certbots, r.More = certbot, true, r.Client
}

// runs reports whether a program and what stands behind it renew.
func (c client) runs(base string, behind []string) bool {
	known := slices.ContainsFunc(c.programs, func(p string) bool { return strings.HasPrefix(base, p) })
	return known && (len(c.verbs) == 0 ||
		slices.ContainsFunc(behind, func(word string) bool {
			verb, _, _ := strings.Cut(word, "=")
			return slices.Contains(c.verbs, verb)
		}))
}

// commands are those of a line, each as its words, as far as a shell's syntax matters here: what
// stands in quotes may be a line of its own (sh -c "…").
func commands(line string) [][]string {
	plain := strings.NewReplacer("'", "", "\"", "", // "/root/.acme.sh"/acme.sh is one word
		">&", ">", "&>", ">").Replace(line)
	var all [][]string
	for _, part := range strings.FieldsFunc(plain, func(r rune) bool { return strings.ContainsRune(";&|()`\n", r) }) {
		if words := strings.Fields(part); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// renewer says what a line runs, if that renews.
func (h Host) renewer(line string) (Renewer, bool) {
	for _, words := range commands(line) {
		for i, word := range words {
			r, ok := h.started(strings.TrimLeft(word, "@-:+!"), words[i+1:]) // systemd's, before a program
			if ok {
				r.Command, r.Bound = line, bound(words[:i])
				return r, true
			}
		}
	}
	return Renewer{}, false
}

// started says what a program with these words behind it is, if that renews.
func (h Host) started(word string, behind []string) (Renewer, bool) {
	for _, c := range clients() {
		if !c.runs(filepath.Base(word), behind) {
			continue
		}
		r := Renewer{Client: c.name, Certbots: c.name == "certbot"}
		if r.Program = h.program(word); r.Program == "" && strings.HasPrefix(word, "certbot.renew") {
			r.Program = h.program("/snap/bin/certbot")
		}
		if r.Program == "" || h.idle(c.name, r.Program) {
			continue // it was removed, and its line stayed
		}
		if c.name == ispconfig {
			r.through(h)
		}
		if r.Ours = h.same(r.Program); !r.Ours && strings.HasPrefix(filepath.Base(word), "orderly") {
			r.Client = "another Orderly"
		}
		r.ConfigDir = valueOf(behind, "--config-dir")
		r.Part = given(behind, "--cert-name", "-d", "--domain", "--domains", "--dry-run",
			"--staging", "--test-cert", "--help", "-h")
		if r.More == "" {
			r.More = given(behind, "--pre-hook", "--post-hook", "--deploy-hook", "--renew-hook",
				"--deploy-hook-once", "-i", "--installer", "--nginx", "--apache")
		}
		return r, true
	}
	return Renewer{}, false
}

// given is the first of some flags that stands in a command line; "" for none.
func given(behind []string, flags ...string) string {
	for _, word := range behind {
		if flag, _, _ := strings.Cut(word, "="); slices.Contains(flags, flag) {
			return flag
		}
	}
	return ""
}

// bound is after how long timeout(1) before a program ends it.
func bound(before []string) string {
	at := slices.IndexFunc(before, func(w string) bool { return filepath.Base(w) == "timeout" })
	if at < 0 {
		return ""
	}
	for i := at + 1; i < len(before); i++ {
		switch word := before[i]; {
		case word == "-k" || word == "-s" || word == "--kill-after" || word == "--signal":
			i++ // with its value
		case !strings.HasPrefix(word, "-"):
			return word
		}
	}
	return ""
}

// valueOf is what stands behind a flag.
func valueOf(all []string, flag string) string {
	for i, word := range all {
		if value, ok := strings.CutPrefix(word, flag+"="); ok {
			return value
		}
		if word == flag && i+1 < len(all) {
			return all[i+1]
		}
	}
	return ""
}

// plainly matches a line of a table that renews and does nothing else: its times, perhaps a user,
// questions, a wait, certbot with flags that are known to add nothing, and where its output goes. A
// flag that is not listed may be a hook, abbreviated or in a file of settings; a path with a shell's
// signs in it is no path alone.
var plainly = sync.OnceValue(func() *regexp.Regexp {
	const wait = `(sleep\s+[\w$(){}%*+./\\ -]+|perl\s+-e\s+(\\?['"])sleep int\(rand\(\d+\)\);?(\\?['"]))`
	const path, dirs = `(/[\w.,+@-]+)+`, `(/([\w.,+@-]+/)*)?`
	const flags = `(\s+(-[nqv]+|--(quiet|verbose|non-interactive|noninteractive|no-self-upgrade|no-bootstrap|` +
		`no-random-sleep-on-renew|agree-tos|keep|keep-until-expiring)|--max-log-backups[\s=]\d+|` +
		`--(config|work|logs)-dir[\s=]` + path + `))*`
	return regexp.MustCompile(`^(@\w+|(\S+\s+){4}\S+)\s+(root\s+)?` +
		"((test|\\[)\\s[^;&|<>$()`]*&&\\s*|" + wait + `\s*(&&|;)\s*)*` +
		`(nice(\s+-n)?\s+-?\d+\s+|` + dirs + `timeout\s+\w+\s+)?` +
		dirs + `(certbot|letsencrypt)(-auto)?` + flags + `\s+renew` + flags + `\s*` +
		`((\d|&)?>>?\s*(&\d|[\w/.-]+)\s*)*$`)
})

// Plain reports whether the line of a table does nothing but renew what is due.
func (r Renewer) Plain() bool {
	return r.Script+r.Part+r.More == "" && plainly().MatchString(r.Command)
}
