package doctor

// Programs name certificates in more words than a path: a base directory and a name behind it
// (haproxy's crt-base, macros of Exim's and Postfix'), a volume of a container's, a hook that gives
// each renewed one to somebody. What does so may use each of them.

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// wording finds in a text what uses certificates.
type wording struct {
	config string         // the configuration directory's own name
	all    *regexp.Regexp // where all lineages are named at once
	dir    *regexp.Regexp // the configuration directory, or something in it
	hooks  []string       // the directories whose programs are told what was renewed
	own    string         // the settings of every run
}

// wording is how the certificates of this configuration directory are named.
func (e *Exam) wording() wording {
	dir := filepath.Clean(e.Disk.Dirs.Config)
	named := []string{regexp.QuoteMeta(dir)}
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		named = append(named, regexp.QuoteMeta(real))
	}
	path := "(?:" + strings.Join(named, "|") + ")"
	return wording{filepath.Base(dir), regexp.MustCompile(
		path + "/(?:live|archive)/?(?:[\\s\"'`;:,)<>&|]|$)|" + // with a name somewhere else
			path + "(?:/live|/archive)?/?:/|" + // a volume
			"\"[Ss]ource\": *\"" + path + "/?\"|" +
			path + "/?\\s+/\\S+\\s+\\S+\\s+\\S*bind"), // a bind mount
		regexp.MustCompile(path + "(?:[/\\s\"]|$)"),
		[]string{filepath.Join(dir, "renewal-hooks/deploy"), filepath.Join(dir, "renewal-hooks/post")},
		filepath.Join(dir, "cli.ini")}
}

// note takes up what a text names. An error is why each lineage may be in use.
func (w wording) note(u *usage, path, text string) error {
	for _, name := range namedIn(text) {
		pattern := strings.ContainsAny(name, patterns) || name[0] == '<'
		if pattern && strings.Contains(text, w.config+"/") {
			return errors.New(path + " names certificates by a pattern")
		}
		if u.named[name] == "" {
			u.named[name] = path
		}
	}
	if w.all.MatchString(text) || offers(path) && w.dir.MatchString(text) {
		return errors.New(path + " names the directory of all certificates")
	}
	if u.hands == "" && w.handsOn(path, text) {
		u.hands = path
	}
	return nil
}

// offers reports whether a file says what is given to other hosts.
func offers(path string) bool {
	switch filepath.Base(path) {
	case "exports", "rsyncd.conf", "smb.conf":
		return true
	}
	return filepath.Base(filepath.Dir(path)) == "exports.d"
}

// handing finds what takes up which certificate was renewed.
var handing = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`RENEWED_(?:LINEAGE|DOMAINS)`)
})

// hooking finds hooks in command lines, setting those in settings.
var hooking = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[^#\n]*--(?:deploy|renew|post)-hook(?:-once)?[ =]+` +
		`("[^"\n]*"|'[^'\n]*'|\S+)`)
})

var setting = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*(?:deploy|renew|post)[-_]hook[ \t]*=[ \t]*(.*)$`)
})

// between stands between the commands of a line.
var between = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`&&|\|\||;|\|`) })

// handsOn reports whether a file's program may give each renewed certificate to somebody.
func (w wording) handsOn(path, text string) bool {
	hook := slices.Contains(w.hooks, filepath.Dir(path)) && !idleEnding(filepath.Base(path))
	if strings.HasPrefix(text, "\x7fELF") && !hook {
		return false // certbot's own words are in programs that are like it
	}
	if handing().MatchString(text) || hook && !onlyReloads(text) {
		return true
	}
	found := hooking().FindAllStringSubmatch(text, -1)
	if path == w.own {
		found = append(found, setting().FindAllStringSubmatch(text, -1)...)
	}
	return slices.ContainsFunc(found, func(f []string) bool {
		return !onlyReloads(strings.Trim(f[1], "\"'\r "))
	})
}

// onlyReloads reports whether a script does nothing but tell services to read their files again.
func onlyReloads(script string) bool {
	plain := []string{"systemctl", "service", "rc-service", "nginx", "apachectl", "apache2ctl",
		"httpd", "set", "exit", "true", "echo", "logger", ":"}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.ContainsAny(line, "`$\\") {
			return false
		}
		for _, command := range between().Split(line, -1) {
			words := strings.Fields(command)
			if len(words) > 0 && !slices.Contains(plain, filepath.Base(words[0])) {
				return false
			}
		}
	}
	return true
}
