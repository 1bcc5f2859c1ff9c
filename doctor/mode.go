package doctor

// Modes of private keys become narrower, never wider. The file is the one that was looked at, and
// the runner's own: through another user's directory root could be led to any file of the host.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"orderly/certbot"
)

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

// setMode gives a file its mode, if it still is the one that was looked at.
func setMode(path string, looked os.FileInfo, mode os.FileMode) error {
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
	return file.Chmod(mode)
}

func octal(mode os.FileMode) string { return fmt.Sprintf("%#04o", mode) }
