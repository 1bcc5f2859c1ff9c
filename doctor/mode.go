package doctor

// Modes of private keys become narrower, never wider. The file is the one that was looked at, and
// the runner's own: through another user's directory root could be led to any file of the host. A key
// that somebody else has is taken back only where that is named: a service may read it as its owner.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"orderly/certbot"
)

// closed is the plan for a key of a certificate's: its mode, or its owner.
func closed(ctx context.Context, e *Exam, f Finding) (plan, error) {
	if f.Cause == keyOwner {
		return reowned(e, f)
	}
	return narrowed(ctx, e, f)
}

// reowned gives a key to root, to whom all directories belong that lead to it from the configuration
// directory on, which nobody else can change: there a name is what it was a moment ago.
func reowned(e *Exam, f Finding) (plan, error) {
	path, err := filepath.EvalSymlinks(f.File)
	if err != nil || os.Geteuid() != 0 {
		return plan{}, err
	}
	config, err := filepath.EvalSymlinks(e.Disk.Dirs.Config)
	if err != nil || !strings.HasPrefix(path, config+"/") {
		return plan{}, err
	}
	for dir := filepath.Dir(path); len(dir) >= len(config); dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil || ownerOf(info) != 0 || info.Mode().Perm()&0o022 != 0 {
			return plan{}, err
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return plan{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Uid == 0 || st.Nlink != 1 {
		return plan{}, nil
	}
	edit := certbot.Edit{Kind: certbot.Chowned, Path: path, Before: fmt.Sprintf("user %d", st.Uid), After: "root"}
	return plan{FixAsk, []certbot.Edit{edit}, func(context.Context) error {
		return onLooked(path, info, func(file *os.File) error { return file.Chown(0, -1) })
	}}, nil
}

// narrowed takes from others, and from a group where that is not one of its own, what they may do
// with a private key.
func narrowed(_ context.Context, _ *Exam, f Finding) (plan, error) {
	path, err := filepath.EvalSymlinks(f.File)
	if err != nil {
		return plan{}, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return plan{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
		return plan{}, nil
	}
	mode := info.Mode().Perm()
	narrow := mode &^ 0o077
	if f.ID == "D17" && int(st.Gid) != os.Getegid() {
		narrow = mode &^ 0o037 // it was given to a group: what reads it by that goes on to
	}
	if narrow == mode {
		return plan{}, nil
	}
	return plan{FixYes, []certbot.Edit{{Kind: certbot.Chmoded, Path: path, Before: octal(mode), After: octal(narrow)}},
		func(context.Context) error { return setMode(path, info, narrow) }}, nil
}

// setMode gives a file its mode.
func setMode(path string, looked os.FileInfo, mode os.FileMode) error {
	return onLooked(path, looked, func(file *os.File) error { return file.Chmod(mode) })
}

// onLooked does something to a file, if it still is the one that was looked at.
func onLooked(path string, looked os.FileInfo, do func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // nothing was written
	now, err := file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(looked, now) {
		return errors.New("another file is there by now")
	}
	return do(file)
}

func octal(mode os.FileMode) string { return fmt.Sprintf("%#04o", mode) }
