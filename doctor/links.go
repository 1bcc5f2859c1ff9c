package doctor

// What the files of a lineage show: whether links, versions and keys agree. What the next run of
// renew mends by itself is said to be mended, and fails nothing.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

func linkChecks() []Check {
	return []Check{
		{ID: "D14", Title: "The files of a certificate contradict each other", Lineage: oddLinks,
			Host: unreadable},
		{ID: "D15", Title: "The private key is not the certificate's", Lineage: oddKey},
		{ID: "D16", Title: "A version of a certificate is damaged", Lineage: tornVersion},
		{ID: "D17", Title: "The private key is open to others", Lineage: openKey},
	}
}

// nextRun is the remedy of what a renewal begins with.
const nextRun failure.Remedy = "The next run of renew mends it."

// mends says of a finding that a renewal meets it no more, where that begins by mending it.
func (x *Lineage) mends(e *Exam, f *Finding) (certain bool) {
	edits, err := e.Disk.Foresee(x.Name)
	if err != nil || len(edits) == 0 {
		return false
	}
	f.Severity, f.HurtsAt = Note, time.Time{}
	f.Remedy = nextRun
	return true
}

// dirOf is the directory of a lineage's links.
func (x *Lineage) dirOf(e *Exam, l *certbot.Lineage) string {
	if l != nil {
		return filepath.Dir(l.Renewal.Cert)
	}
	return filepath.Join(e.Disk.Dirs.Config, "live", x.Name)
}

// wentAt is when the nearest directory above a path that is gone was changed: the path went then.
func wentAt(path string) time.Time {
	for dir := path; ; dir = filepath.Dir(dir) {
		if at := changed(dir); !at.IsZero() || dir == filepath.Dir(dir) {
			return at
		}
	}
}

// brokenFiles are the refusals of a check about files beside the renewal file.
func (x *Lineage) brokenFiles(e *Exam, id string) []Finding {
	all := x.refusals(id)
	for i := range all {
		all[i].File = x.dirOf(e, nil)
		all[i].Since = wentAt(all[i].File)
		if anew := x.anew(); !x.mends(e, &all[i]) && anew != "" {
			all[i].Remedy = anew
		}
	}
	return all
}

// anew is how a certificate is made once more of which no version is whole, with what is known of it;
// "" where its names are not known.
func (x *Lineage) anew() failure.Remedy {
	if len(x.Names) == 0 {
		return ""
	}
	way := ""
	if x.Authenticator == "standalone" {
		way = x.Authenticator
	}
	roots := map[string]bool{}
	for _, root := range x.Roots {
		if roots[root] = true; len(roots) == 1 {
			way = root
		}
	}
	if len(roots) > 1 || len(roots) == 1 && len(x.Roots) < len(x.Names) {
		way = "" // a person has to say which is whose
	}
	again := failure.Do(failure.ObtainAgain, append([]string{x.Server, x.Name, way}, x.Names...)...)
	if x.DeployHook != "" { // which goes with the renewal file
		again += ", then " + failure.Do(failure.SetDeployHook, x.Name, x.DeployHook)
	}
	return failure.Advise("Restore live/%s and archive/%s from a backup, with the links. Where there is none, "+
		"make it anew: %s, then %s.", x.Name, x.Name, failure.Do(failure.Delete, x.Name), again)
}

// unreadable tells of the lineages that whoever asks may not look at: in one sentence, since there is
// one cause.
func unreadable(_ context.Context, e *Exam) ([]Finding, error) {
	closed := e.closed()
	if len(closed) == 0 {
		return nil, nil
	}
	return []Finding{{ID: "D14", Class: failure.Config, Severity: Note, Cause: "closed",
		Sentence: failure.Words("%d certificates cannot be looked at by this user: %s", len(closed),
			called(closed)),
		Remedy: "Run the command as root, or as a user who may read live/ and archive/."}}, nil
}

// closed are the lineages that whoever asks may not look at.
func (e *Exam) closed() []*Lineage {
	var all []*Lineage
	for _, x := range e.Lineages {
		if errors.Is(x.Err, fs.ErrPermission) {
			all = append(all, x)
		}
	}
	return all
}

// allClosed is the error where none at all may be looked at: what is not seen must not look healthy.
func (e *Exam) allClosed() error {
	closed := e.closed()
	if len(closed) == 0 || len(closed) < len(e.Lineages) {
		return nil
	}
	return failure.Wrap(closed[0].Err, failure.Config,
		"Run the command as root, or as a user who may read live/ and archive/.",
		"none of the %d certificates can be looked at", len(closed))
}

// oddLinks tells of links that are none, lead nowhere or elsewhere, or were left half changed.
func oddLinks(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil {
		return x.brokenFiles(e, "D14")
	}
	if !l.Unsettled || l.Mixed || l.KeyLost != nil {
		return nil
	}
	f := x.notesThat("D14", "", "a run that was killed left the links in %s unfinished", x.dirOf(e, l))
	switch {
	case l.Astray:
		f.Sentence = failure.Words("the links in %s lead elsewhere than to %s", x.dirOf(e, l),
			l.Renewal.ArchiveDir)
	case l.Ahead > 0:
		f.Sentence = failure.Words("no link leads to version %d in %s, which is whole and newer",
			l.Ahead, l.Renewal.ArchiveDir)
	}
	f.Class, f.File, f.Since = failure.LineageBroken, x.dirOf(e, l), changed(x.dirOf(e, l))
	if !x.mends(e, &f) {
		return nil // a version that may not be linked is tornVersion's
	}
	return []Finding{f}
}

// oddKey tells of a certificate that nobody can serve. A renewal makes another key, so that it is due
// at once.
func oddKey(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	all := x.refusals("D15")
	if l == nil || len(all) > 0 || l.KeyLost == nil && !l.Mixed {
		return all
	}
	f := x.notesThat("D15", "Renew it: "+failure.Do(failure.RenewNow, x.Name)+".",
		"the links in %s lead to different versions", x.dirOf(e, l))
	f.Class, f.File, f.Since = failure.LineageBroken, l.Renewal.PrivKey, changed(x.dirOf(e, l))
	if l.KeyLost != nil && !l.Mixed {
		f.Sentence = l.KeyLost.Error()
	}
	x.mends(e, &f)
	return []Finding{f}
}

// tornVersion tells of versions that no server can use: the current one, or one that a killed run
// left above it.
func tornVersion(e *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil {
		return x.brokenFiles(e, "D16")
	}
	if err := l.ChainFault(); err != nil && l.KeyLost == nil && !l.Mixed {
		f := x.notesThat("D16", "Renew it: "+failure.Do(failure.RenewNow, x.Name)+".", "%v", err)
		f.Class, f.File, f.Since = failure.LineageBroken, l.Renewal.FullChain, written(l.Renewal.FullChain)
		x.mends(e, &f)
		return []Finding{f}
	}
	if l.Ahead == 0 {
		return nil
	}
	left := e.Disk.LeftAlone(l)
	if left == "" {
		return nil
	}
	file := filepath.Join(l.Renewal.ArchiveDir, fmt.Sprintf("privkey%d.pem", l.Ahead))
	f := x.notesThat("D16", "Nothing is to be done: the version in use is whole.", "%s", left)
	f.Class, f.File, f.Since = failure.LineageBroken, file, changed(file)
	return []Finding{f}
}

// written is changed of what a link leads to.
func written(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// openKey tells of a private key that everybody on this host can read, and of one that belongs to
// somebody else than its directory. A group that may read it was let in by somebody on purpose; and
// where nobody else may enter the directories, the file's own mode lets nobody in.
func openKey(_ *Exam, x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil {
		return nil
	}
	key, err := os.Stat(l.Renewal.PrivKey)
	if err != nil || ownerOf(key) == 0 && key.Mode().Perm()&0o007 == 0 {
		return nil
	}
	path, err := filepath.EvalSymlinks(l.Renewal.PrivKey)
	if err != nil {
		return nil
	}
	var all []Finding
	if others := key.Mode().Perm() & 0o007; others != 0 && entered(filepath.Dir(path), 0o001) {
		f := x.notesThat("D17", "Close it: `"+failure.Shell("chmod", "o=", path)+"`.",
			"the private key %s is open to every user of this host (mode %04o)", path, key.Mode().Perm())
		f.Class, f.File, f.Since = failure.Config, path, key.ModTime()
		all = append(all, f)
	}
	dir, err := os.Stat(filepath.Dir(path))
	if owner := ownerOf(key); err == nil && owner != 0 && owner != ownerOf(dir) {
		f := x.notesThat("D17", "Take it back: `"+failure.Shell("chown", "root", path)+"`.",
			"the private key %s belongs to user %d, and not to whom its directory does", path, owner)
		f.Class, f.File, f.Cause = failure.Config, path, keyOwner
		all = append(all, f)
	}
	return all
}

// keyOwner is the cause of D17 that a key belongs to somebody else.
const keyOwner = "owner"

// entered reports whether users of a kind may enter a directory: every user (0001), or some group as
// well (0011).
func entered(dir string, kind fs.FileMode) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&kind == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

// ownerOf is the user to whom a file belongs.
func ownerOf(info os.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return 0
}
