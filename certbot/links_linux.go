package certbot

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Linux exchanges two directories in one instant.

// exchangeDirs swaps two directories in one instant. File systems that cannot answer EINVAL, a
// mount point EBUSY.
func exchangeDirs(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "renameat2", Old: a, New: b, Err: err}
	}
	return nil
}

// copyExtended makes the extended attributes of one file those of another. Among them are the
// access control lists by which a host lets a service read its keys: a directory without them would
// lock the service out.
func copyExtended(from, to string) error {
	wanted, err := extended(from)
	if err != nil {
		return err
	}
	present, err := extended(to)
	if err != nil {
		return err
	}
	for name, value := range wanted {
		if bytes.Equal(present[name], value) {
			continue
		}
		if err := unix.Setxattr(to, name, value, 0); err != nil {
			return &os.PathError{Op: "setxattr " + name, Path: to, Err: err}
		}
	}
	for name := range present {
		if _, keep := wanted[name]; keep {
			continue
		}
		if err := unix.Removexattr(to, name); err != nil {
			return &os.PathError{Op: "removexattr " + name, Path: to, Err: err}
		}
	}
	return nil
}

// extendedLimit is what Linux lets all names, or one value, have at most (XATTR_LIST_MAX,
// XATTR_SIZE_MAX), in bytes.
const extendedLimit = 64 << 10

func extended(path string) (map[string][]byte, error) {
	buffer := make([]byte, extendedLimit)
	n, err := unix.Listxattr(path, buffer)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "listxattr", Path: path, Err: err}
	}
	values := map[string][]byte{}
	for _, name := range bytes.Split(slices.Clone(buffer[:n]), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		n, err := unix.Getxattr(path, string(name), buffer)
		if err != nil {
			return nil, &os.PathError{Op: "getxattr " + string(name), Path: path, Err: err}
		}
		values[string(name)] = slices.Clone(buffer[:n])
	}
	return values, nil
}
