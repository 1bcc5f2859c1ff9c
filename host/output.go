package host

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ownfile"
)

// The certificate of a person's own CSR belongs to no lineage and goes into three files of his.
// Where they are is settled before the order is made, links followed, and a file that is there is
// never replaced.

// Outputs are the names of the files for a certificate without a lineage that were not chosen: the
// first that are free.
func Outputs(o Output) (Output, error) {
	for _, file := range []struct {
		path *string
		name string
	}{{&o.Cert, "cert.pem"}, {&o.Chain, "chain.pem"}, {&o.FullChain, "fullchain.pem"}} {
		path, err := outputPath(*file.path, file.name)
		if err != nil {
			return o, err
		}
		*file.path = path
	}
	if o.Cert == o.Chain || o.Cert == o.FullChain || o.Chain == o.FullChain {
		return o, failure.New(failure.Config, "Name three files.",
			"%s, %s and %s name one file twice", failure.Do(failure.CertificateFile),
			failure.Do(failure.ChainFile), failure.Do(failure.FullChainFile))
	}
	return o, nil
}

// mostOutputs is how many certificates a directory takes under names that were not chosen, as with
// certbot.
const mostOutputs = 10000

func outputPath(chosen, name string) (string, error) {
	if chosen == "" {
		for i := range mostOutputs {
			path := fmt.Sprintf("%04d_%s", i, name)
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				return ownPath(path)
			}
		}
		return "", failure.New(failure.Config,
			"Choose one with "+failure.Do(failure.CertificateFile)+", "+
				failure.Do(failure.ChainFile)+
				", "+failure.Do(failure.FullChainFile)+".",
			"there is no free name for %s", name)
	}
	path, err := ownPath(chosen)
	if err != nil {
		return "", err
	}
	// certbot finds this out when the certificate has been issued
	if _, err := os.Lstat(path); err == nil {
		return "", failure.New(failure.Config, "Move it away, or choose another name.",
			"%s exists already", path)
	}
	return path, nil
}

// ownPath is where a file is written whose directory was named: with the links in it followed now,
// so that nobody leads the certificate elsewhere before it is there. A link that another user made
// is not followed.
func ownPath(chosen string) (string, error) {
	path, err := filepath.Abs(chosen)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", failure.New(failure.Config, "Make the directory.",
			"%s cannot be written: its directory does not exist", path)
	}
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if err := notLedBy(at); err != nil {
			return "", err
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", failure.Wrap(err, failure.Config, "Name another directory.",
			"%s cannot be written", path)
	}
	// what a link led to may be swapped meanwhile
	for at := real; at != filepath.Dir(at); at = filepath.Dir(at) {
		if err := notLedBy(at); err != nil {
			return "", err
		}
	}
	return filepath.Join(real, filepath.Base(path)), nil
}

// notLedBy refuses a link that neither root nor this user made.
func notLedBy(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return failure.Wrap(err, failure.Config, "Name another directory.",
			"a directory for the certificate cannot be looked at")
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode()&os.ModeSymlink == 0 || ok && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid()) {
		return nil
	}
	return failure.New(failure.Config, "Name the directory that it leads to.",
		"%s is a link that another user made, and is not followed", path)
}

// write puts the certificate of a person's own CSR in place. Each file appears whole; called again
// it writes the same.
func write(o Output, chain []byte) error {
	block, rest := pem.Decode(chain)
	if block == nil {
		return errors.New("the chain holds no certificate")
	}
	leaf := pem.EncodeToMemory(block)
	for _, path := range []string{o.Cert, o.Chain, o.FullChain} {
		if _, err := ownPath(path); err != nil {
			return err
		}
		if foreign(path, leaf, rest, chain) {
			return failure.New(failure.Config,
				"Move it away, and run "+failure.Do(failure.Resume)+".",
				"%s is there by now, and is not replaced", path)
		}
	}
	for _, file := range []struct {
		path    string
		content []byte
	}{{o.Cert, leaf}, {o.Chain, []byte(strings.TrimLeft(string(rest), "\n"))}, {o.FullChain,
		chain}} {
		if err := ownfile.Replace(file.path, file.content, 0o644); err != nil {
			return failure.Wrap(err, failure.Config,
				"Make room and make the directory writable; "+failure.Do(failure.Resume)+
					" goes on with it.",
				"the certificate cannot be written")
		}
	}
	return nil
}

// renewedElsewhere is the file that another certificate for the same CSR was written to since this
// one was asked for: at another CA, for instance. "" if there is none.
func renewedElsewhere(o *ledger.Order, chain []byte) string {
	path := Read(o.Request).Output.FullChain
	info, err := os.Stat(path)
	if err != nil || o.FinalizeSentAt.IsZero() || !info.ModTime().After(o.FinalizeSentAt) {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	theirs, err := certbot.ParseCertificate(text)
	ours, bad := certbot.ParseCertificate(chain)
	if err != nil || bad != nil || theirs.Serial == ours.Serial ||
		!bytes.Equal(theirs.Leaf.RawSubjectPublicKeyInfo, ours.Leaf.RawSubjectPublicKeyInfo) {
		return ""
	}
	return path
}

// foreign reports whether a file is there that this certificate did not bring.
func foreign(path string, ours ...[]byte) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return !slices.ContainsFunc(ours,
		func(own []byte) bool {
			return bytes.Equal(bytes.TrimSpace(own),
				bytes.TrimSpace(content))
		})
}
