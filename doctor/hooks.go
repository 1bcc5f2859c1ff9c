package doctor

// Commands that a renewal runs: whether they are there. What the shell makes of a command, only the
// shell knows, so that nothing is said of what is not plain.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
)

func hookChecks() []Check {
	return []Check{{ID: "D24", Title: "A hook cannot be run, or hung", Lineage: lostHooks,
		Host: func(ctx context.Context, e *Exam) ([]Finding, error) {
			idle, err := idleHooks(ctx, e)
			hung, more := hungHooks(ctx, e)
			return append(idle, hung...), errors.Join(err, more)
		}}}
}

// command is one that a renewal file names.
type command struct{ key, kind, text string }

// commands are those that a renewal of a lineage runs.
func commands(p certbot.Params) []command {
	all := []command{{"pre_hook", "pre-hook", p.PreHook}, {"post_hook", "post-hook", p.PostHook},
		{"renew_hook", "deploy-hook", p.DeployHook}}
	if p.Authenticator != "manual" {
		return all
	}
	for _, s := range p.Plugin {
		switch s.Key {
		case "manual_auth_hook":
			all = append(all, command{s.Key, "manual-auth-hook", s.Value})
		case "manual_cleanup_hook":
			all = append(all, command{s.Key, "manual-cleanup-hook", s.Value})
		}
	}
	return all
}

// plain reports whether the first word of a command is a program's name and nothing of the shell's.
func plain(text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word != "" && !strings.ContainsAny(word, "\"'$`\\;|&<>*?~[]{}()#\n\t")
}

// lostHooks tells of hooks that cannot be found. One that proves names keeps the renewal from being
// tried; of the others the renewal only complains, and the web server goes on with what it has.
func lostHooks(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || x.off() {
		return nil
	}
	var all []Finding
	for _, c := range commands(l.Renewal.Params) {
		err := e.memo.runs(c)
		if err == nil {
			continue
		}
		f := x.findsError("D24", err)
		f.Cause, f.Remedy = c.text, c.remedy(x.Name, os.Getenv("PATH"))
		_, f.Line = l.Renewal.Written(c.key)
		if !strings.HasPrefix(c.kind, "manual") {
			f.Severity = Note
		}
		all = append(all, f)
	}
	return all
}

// remedy is what is to be done about a command that cannot be run: what keeps its program from it, the
// same program where it is now, or another.
func (c command) remedy(lineage, path string) failure.Remedy {
	program, rest, _ := strings.Cut(strings.TrimSpace(c.text), " ")
	if info, err := os.Stat(program); err == nil && info.Mode().IsRegular() {
		return "Make it executable: `" + failure.Shell("chmod", "+x", program) + "`."
	}
	for _, dir := range filepath.SplitList(path + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") {
		there := filepath.Join(dir, filepath.Base(program))
		info, err := os.Stat(there)
		if err != nil || !filepath.IsAbs(there) || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		return failure.Advise("Run it from where it is now: %s.", failure.Do(failure.SetHook, lineage, c.kind,
			strings.TrimSpace(there+" "+rest)))
	}
	if strings.HasPrefix(c.kind, "manual") {
		return failure.Advise("Put it back, or name another: %s.", failure.Do(failure.SetHook, lineage, c.kind))
	}
	return failure.Advise("Put it back, or name another: %s, where '' is none.",
		failure.Do(failure.SetHook, lineage, c.kind))
}

// idleHooks tells of files in the directories of hooks that are not run since nobody may execute
// them.
func idleHooks(_ context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	for _, kind := range []string{"pre", "deploy", "post"} {
		dir := filepath.Join("renewal-hooks", kind)
		entries, _ := e.entries(dir) // where it cannot be read, none of it is run either
		for _, entry := range entries {
			path := filepath.Join(e.Disk.Dirs.Config, dir, entry.Name())
			info, err := os.Stat(path)
			switch {
			case strings.HasSuffix(path, "~"), entry.Name()[0] == '.', idleEnding(entry.Name()),
				err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o111 != 0):
				continue
			}
			f := Finding{ID: "D24", Class: failure.Hook, Severity: Note, File: path,
				Sentence: failure.Words("the hook %s is not run: it is not executable", path),
				Remedy:   "If it should run: `" + failure.Shell("chmod", "+x", path) + "`."}
			if err != nil {
				f.Sentence = failure.Words("the hook %s is not run: the link leads nowhere", path)
				f.Remedy = "Put back what it leads to, or remove it: `" + failure.Shell("rm", path) + "`."
			} else {
				f.Since = info.ModTime()
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// idleEnding reports whether a file's name says that it is none to be run: a text, or what packages
// and people put aside.
func idleEnding(name string) bool {
	switch filepath.Ext(name) {
	case ".md", ".txt", ".bak", ".orig", ".old", ".disabled", ".dpkg-old", ".dpkg-dist", ".rpmsave",
		".rpmnew", ".sample", ".example":
		return true
	}
	return strings.EqualFold(name, "README")
}

// runs says why a command cannot be run; nil where it can, or where only the shell knows.
func (m *memo) runs(c command) error {
	if !plain(c.text) {
		return nil
	}
	key := c.kind + " " + c.text
	if known, ok := m.hooks.Load(key); ok {
		return known.(looked).err
	}
	err := host.CheckHook(c.kind, c.text, os.Getenv)
	m.hooks.Store(key, looked{err})
	return err
}
