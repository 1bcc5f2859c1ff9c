// Package certbot keeps certificates, renewal settings and accounts on disk exactly where and how
// certbot keeps them (2.1 to 5.x), so that either program can continue the other's work. It must
// never let live/NAME hold a certificate and a key that do not belong together, never replace a
// good pair by a half-written one, never drop a setting or a comment it does not know, and never
// talk to a CA.
//
// Whoever changes a lineage holds that lineage's lock, and a shared lock on .certbot.lock in Config
// against certbot itself. Every change can be cut short at any instruction and made again with the
// same arguments.
package certbot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/ownfile"
)

// Dirs are certbot's three directories (--config-dir, --work-dir, --logs-dir).
type Dirs struct{ Config, Work, Logs string }

// DefaultDirs returns certbot's defaults (certbot/compat/misc.py).
func DefaultDirs() Dirs {
	return Dirs{Config: "/etc/letsencrypt", Work: "/var/lib/letsencrypt",
		Logs: "/var/log/letsencrypt"}
}

// Abs returns the directories with absolute paths: renewal files hold no others.
func (d Dirs) Abs() (Dirs, error) {
	for _, dir := range []*string{&d.Config, &d.Work, &d.Logs} {
		path, err := filepath.Abs(*dir)
		if err != nil {
			return d, unusable(err, *dir)
		}
		*dir = path
	}
	return d, nil
}

// Followed returns an error of class Config where the directory of configuration or of work is, or is
// reached through, a link to what is not there, such as a disk that is not mounted: nothing in it is
// something else than nothing there, and whoever mounts it finds it as it was.
func (d Dirs) Followed() error {
	for _, dir := range []string{d.Config, d.Work} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			continue // what else is wrong with it is told where it is used
		}
		for path := dir; path != filepath.Dir(path); path = filepath.Dir(path) {
			target, err := os.Readlink(path)
			if err != nil {
				continue
			}
			return failure.New(failure.Config, failure.Remedy("Mount or restore what the link leads to, or name another "+
				"directory with ")+failure.Do(failure.ConfigDir)+" or "+failure.Do(failure.WorkDir)+".",
				"%s is a link to %s, which is not there", failure.Clean(path), failure.Clean(target))
		}
	}
	return nil
}

// Prepare makes what is missing of the directories of configuration and work and of
// renewal-hooks/{pre,deploy,post}, with certbot's modes, and checks that they can be written. Modes
// of what exists are left alone. The error is of class Config.
func (d Dirs) Prepare() error {
	for _, dir := range []string{d.Config, d.Work, d.hooks("pre"), d.hooks("deploy"), d.hooks("post")} {
		if err := prepare(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// PrepareLogs is Prepare for the directory of logs: a run that lacks the others can do nothing, and
// one that lacks this one all but tell of it afterwards.
func (d Dirs) PrepareLogs() error { return prepare(d.Logs, 0o700) }

func prepare(dir string, mode os.FileMode) error {
	if err := ownfile.Reaches(dir); err != nil {
		return err // a link of another user's on the way
	}
	if err := makeDirs(dir, mode); err != nil {
		return unusable(err, dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return unusable(err, dir)
	}
	return nil
}

// PrepareLedger makes the ledger's directory. What is in it is durable only if the directory's own
// name is.
func (d Dirs) PrepareLedger() error {
	dir := filepath.Join(d.Config, "orderly")
	if err := makeDirs(dir, 0o700); err != nil {
		return unusable(err, dir)
	}
	return nil
}

func unusable(err error, dir string) error {
	remedy := failure.Remedy("Make the directory writable for the user who runs this command, or name another one with ")
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EEXIST) { // rights are of no use to a file
		remedy = "Name a directory with "
	}
	if errors.Is(err, unix.EROFS) { // nor to whoever may do everything
		remedy = "Mount its file system writable, or name another directory with "
	}
	return failure.Wrap(err, failure.Config,
		remedy+failure.Do(failure.ConfigDir)+", "+failure.Do(failure.WorkDir)+" or "+
			failure.Do(failure.LogsDir)+".",
		"the directory %s cannot be made or written", dir)
}

func (d Dirs) hooks(kind string) string { return filepath.Join(d.Config, "renewal-hooks", kind) }

func (d Dirs) live(name string) string    { return filepath.Join(d.Config, "live", name) }
func (d Dirs) archive(name string) string { return filepath.Join(d.Config, "archive", name) }

// Renewal returns the path of a lineage's renewal file.
func (d Dirs) Renewal(name string) string {
	return filepath.Join(d.Config, "renewal", name+".conf")
}

// Hooks lists the directory hooks of a kind ("pre", "deploy" or "post") as certbot finds them:
// executable files whose names do not end in "~", sorted by path. A missing directory has none.
func (d Dirs) Hooks(kind string) ([]string, error) {
	entries, err := os.ReadDir(d.hooks(kind))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Hook, "Make the directory readable.", "the hooks in %s cannot be listed", d.hooks(kind))
	}
	var hooks []string
	for _, e := range entries {
		path := filepath.Join(d.hooks(kind), e.Name())
		info, err := os.Stat(path) // follows links, as certbot does
		backup := path[len(path)-1] == '~'
		if err == nil && info.Mode().IsRegular() && !backup && unix.Access(path, unix.X_OK) == nil {
			hooks = append(hooks, path)
		}
	}
	return hooks, nil
}
