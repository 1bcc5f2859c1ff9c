package certbot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orderly/failure"
)

// An archive keeps each version that was ever issued under a number; what is in place is a link to
// one of them. Nothing in it is written twice.

// keptVersions is how many versions before the current one stay in an archive (certbot ≥ 2.3,
// storage.py truncate).
const keptVersions = 5

// archive is a lineage's archive directory: certN.pem, privkeyN.pem, chainN.pem and fullchainN.pem
// for each version N.
type archive struct{ dir string }

func (a archive) path(kind string, version int) string {
	return filepath.Join(a.dir, fmt.Sprintf("%s%d.pem", kind, version))
}

// versions tells which kinds exist of each version. A missing directory has none.
func (a archive) versions() (map[int][]string, error) {
	names, err := namesIn(a.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	found := map[int][]string{}
	for _, name := range names {
		if kind, version, ok := archived(name); ok {
			found[version] = append(found[version], kind)
		}
	}
	return found, nil
}

// place finds the version under which v is to stand: the one that holds it already, whole or in
// part, or a new one. A part can only be of the highest version, since nothing else was written
// after it.
func (a archive) place(v version) (number int, err error) {
	found, err := a.versions()
	if err != nil {
		return 0, err
	}
	highest := 0
	for number, present := range found {
		highest = max(highest, number)
		if len(present) == len(kinds) && a.holds(v, number, present) {
			return number, nil
		}
	}
	if highest > 0 && a.holds(v, highest, found[highest]) {
		return highest, nil
	}
	return highest + 1, nil
}

// holds tells whether each present file of a version is v's.
func (a archive) holds(v version, number int, present []string) bool {
	for _, kind := range present {
		text, err := os.ReadFile(a.path(kind, number))
		if err != nil || !bytes.Equal(text, v[kind]) {
			return false
		}
	}
	return true
}

// missing lists the kinds of a version that are yet to be written, the key first: without it the
// others are worthless.
func (a archive) missing(number int) []string {
	var kindsLeft []string
	for _, kind := range []string{"privkey", "cert", "chain", "fullchain"} {
		if _, err := os.Lstat(a.path(kind, number)); err != nil {
			kindsLeft = append(kindsLeft, kind)
		}
	}
	return kindsLeft
}

// writeSuccessor writes what is missing of a version and makes it durable. The key takes group and
// mode from the one before it, as certbot has it: hosts that gave a group the right to read would
// otherwise lose it at each renewal. A key that is the same as before (--reuse-key) is written
// again, as certbot's renew does, not linked to, as certbot once did: certbot ≥ 2.3 prunes old
// versions without a look at what leads to them. The note says what of group and mode could not be
// given.
func (s *Store) writeSuccessor(a archive, number int, v version,
	formerKey string) (note string, err error) {
	former, err := os.Stat(formerKey)
	if errors.Is(err, fs.ErrNotExist) {
		former, err = a.lastKey()
	}
	if err != nil {
		return "", err
	}
	for _, kind := range a.missing(number) {
		f := newFile{path: a.path(kind, number), data: v[kind], mode: 0o666}
		if kind == "privkey" {
			f.mode = 0o600
			if former != nil {
				f.last = func(file *os.File) (err error) {
					note, err = likeFormer(file, former, f.path)
					return err
				}
			}
		}
		if err := s.write(f); err != nil {
			return note, err
		}
	}
	return note, s.do("sync archive", func() error { return syncDir(a.dir) })
}

// lastKey looks at the newest key in the archive; nil if there is none.
func (a archive) lastKey() (fs.FileInfo, error) {
	found, err := a.versions()
	if err != nil {
		return nil, err
	}
	for _, number := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		if info, err := os.Stat(a.path("privkey", number)); err == nil {
			return info, nil
		}
	}
	return nil, nil
}

// likeFormer gives a new key the group of the former one, and what group and others could do with
// that, except that others never write (certbot/compat/filesystem.py, compute_private_key_mode).
// The owner is not taken over. Who may not give the group away (it is not theirs, or the file
// system has none) keeps their own, which is then granted nothing: a certificate that is paid for
// is put in place all the same, and the note says whom it does not reach.
func likeFormer(file *os.File, former fs.FileInfo, path string) (note string, err error) {
	now, err := file.Stat()
	if err != nil {
		return "", err
	}
	mode := 0o600 | former.Mode().Perm()&0o074
	if gid := groupOf(former); gid != groupOf(now) {
		if err := file.Chown(-1, gid); err != nil {
			if mode&0o070 != 0 {
				note = groupNote(path, gid, mode, err)
			}
			mode &^= 0o070
		}
	}
	if err := file.Chmod(mode); err != nil && note == "" {
		note = fmt.Sprintf("the mode of the former key, %#o, cannot be given to %s: %v", mode, path,
			err)
	}
	return note, nil
}

func groupNote(path string, gid int, mode fs.FileMode, err error) string {
	return string(failure.Advise("the new private key %s cannot be given to group %s, as the "+
		"former one was (%v), and what reads it by that group no longer can; as root: %s && %s",
		path, groupName(gid), errors.Unwrap(err), failure.Shell("chgrp", strconv.Itoa(gid), path),
		failure.Shell("chmod", fmt.Sprintf("%#o", mode), path)))
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// prune removes versions as certbot ≥ 2.3 does, all but the current one and the five before it. A
// key that a kept version links to (--reuse-key) stays. It only tidies up: what cannot be removed
// stays too.
func (s *Store) prune(a archive, current int) {
	found, err := a.versions()
	if err != nil {
		return
	}
	linked := a.linkedKeys(found, current-keptVersions)
	for number, present := range found {
		if number >= current-keptVersions {
			continue
		}
		for _, kind := range present {
			path := a.path(kind, number)
			if !linked[filepath.Base(path)] {
				_ = s.do("remove "+filepath.Base(path), func() error { return os.Remove(path) })
			}
		}
	}
}

// linkedKeys names the files that keys from a version on are links to, directly or through others.
func (a archive) linkedKeys(found map[int][]string, from int) map[string]bool {
	linked := map[string]bool{}
	for number := range found {
		if number < from {
			continue
		}
		path := a.path("privkey", number)
		for text, err := os.Readlink(path); err == nil; text, err = os.Readlink(path) {
			path = filepath.Join(a.dir, filepath.Base(text))
			if linked[filepath.Base(path)] {
				break
			}
			linked[filepath.Base(path)] = true
		}
	}
	return linked
}

// readme is the text that certbot puts into live/ (prefix "[cert name]/") and into each directory
// below it (no prefix).
func readme(prefix string) []byte {
	return []byte(strings.ReplaceAll("This directory contains your keys and certificates.\n\n"+
		"`{prefix}privkey.pem`  : the private key for your certificate.\n"+
		"`{prefix}fullchain.pem`: the certificate file used in most server software.\n"+
		"`{prefix}chain.pem`    : used for OCSP stapling in Nginx >=1.3.7.\n"+
		"`{prefix}cert.pem`     : will break many server configurations, and should not be used\n"+
		"                 without reading further documentation (see link below).\n\n"+
		"WARNING: DO NOT MOVE OR RENAME THESE FILES!\n"+
		"         Certbot expects these files to remain in this location in order\n"+
		"         to function properly!\n\n"+
		"We recommend not moving these files. For more information, see the Certbot\n"+
		"User Guide at https://certbot.eff.org/docs/using.html#where-are-my-certificates.\n",
		"{prefix}", prefix))
}
