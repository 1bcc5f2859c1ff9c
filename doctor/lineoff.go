package doctor

// D25 is mended, too, where a line of root's in a cron table does nothing but run certbot for
// certificates that Orderly renews by itself: it becomes a comment. A line that does anything else
// (reloads a server, tells somebody, renews one certificate) would take that with it, and is left.

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ownfile"
	"orderly/schedule"
)

// aside is what stands before a line that was put aside.
const aside = "# put aside, since Orderly renews all certificates: "

// lineOff makes a comment of a line in a cron table.
func lineOff(e *Exam, f Finding, r schedule.Renewer) (plan, error) {
	if !r.Plain() || !rootsTable(r) {
		return plan{}, failure.New(failure.Config, f.Remedy,
			"it may do more than renew, which would be done no more: look at line %d of %s", f.Line, f.File)
	}
	if err := e.renewsAll(e.Schedule.All()); err != nil {
		return plan{}, err
	}
	before, info, err := wholeTable(f.File)
	if err != nil {
		return plan{}, failure.Wrap(err, failure.Config, f.Remedy, "%s cannot be changed", f.File)
	}
	lines := strings.SplitAfter(before, "\n")
	if f.Line < 1 || f.Line > len(lines) || strings.TrimSpace(lines[f.Line-1]) != r.Command {
		return plan{}, failure.New(failure.Config, f.Remedy, "line %d of %s goes on in the next one", f.Line, f.File)
	}
	lines[f.Line-1] = aside + lines[f.Line-1]
	after := strings.Join(lines, "")
	edit := certbot.Edit{Kind: certbot.Written, Path: f.File, Before: before, After: after}
	return plan{FixAsk, []certbot.Edit{edit}, func(context.Context) error {
		return putTable(f.File, after, info)
	}}, nil
}

// rootsTable reports whether a line is one of a table of root's.
func rootsTable(r schedule.Renewer) bool {
	dir := filepath.Dir(r.Name)
	return read(r) && (r.Name == "/etc/crontab" || strings.HasSuffix(dir, "/cron.d") || strings.HasPrefix(dir, "/var/"))
}

// wholeTable reads a table, and what is to stay of it: a link's target is another's.
func wholeTable(path string) (string, fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = failure.New(failure.Config, "Look what it is.", "it is no file")
	}
	if err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile(path)
	return string(text), info, err
}

// putTable puts a table in place of the old one, of the same owner and mode: cron obeys no other. It
// sees that the directory changed, and reads the table anew.
func putTable(path, text string, was fs.FileInfo) error {
	if err := ownfile.Replace(path, []byte(text), was.Mode().Perm()); err != nil {
		return err
	}
	owner, ok := was.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return syncDir(filepath.Dir(path))
	}
	if err := os.Lchown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
