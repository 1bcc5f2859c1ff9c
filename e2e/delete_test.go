package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestEachProgramDeletesWhatTheOtherObtained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	for _, name := range []string{"a.example.com", "c.example.com"} {
		h.must(h.certonly(w.site(name), name)...)
	}
	for _, name := range []string{"b.example.com", "d.example.com"} {
		h.mustCertbot(h.certbotCertonly(w.site(name), name)...)
	}
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.mustCertbot("delete", "--cert-name", "a.example.com", "-n")
	h.must("delete", "--cert-name", "b.example.com", "-n").says(t, 0, "Deleted all files relating to certificate b.example.com.")
	h.must("delete", "--cert-name", "c.example.com,d.example.com", "-n").says(t, 0, "Deleted all files relating to certificate d.example.com.")
	for _, name := range []string{"a", "b", "c", "d"} {
		h.deleted(name + ".example.com")
	}
	h.must("certificates").says(t, 0, "No certificates found.")
}

// Whatever is open of a certificate when it is deleted, it does not come back, and nothing stays pending.
func TestADeletedCertificateDoesNotComeBack(t *testing.T) {
	for _, at := range []point{{"new-order", 1, true}, {"challenge", 1, true}, {"finalize", 1, false}, {"finalize", 1, true}, {"certificate", 1, true}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{Reuse: true, HideProcessing: true, Boulder: true})
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			h.must(command...)
			h.interrupt(at, syscall.SIGKILL, append(command, "--force-renewal")...)
			w.ca.Release()
			h.must("delete", "--cert-name", names[0], "-n").says(t, 0, "nothing of it comes back.")
			h.must("renew", "--longest-validation", "2s")
			h.deleted(names[0])
			if n := w.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d authorizations stay pending", n)
			}
			if left := h.pending(); len(left) != 0 {
				t.Errorf("pending: %+v", left)
			}
			h.must(command...)
			h.goodPair(names[0], names...)
		})
	}
}

func TestADeleteWaitsForTheRunAtWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	h.hold("finalize", 1, false)
	renew := h.start("renew", "--force-renewal")
	h.held(renew)
	if r := h.orderly("delete", "--cert-name", name, "-n", "--deadline", "300ms"); r.code != 75 || !there(filepath.Join(h.config, "live", name)) {
		t.Errorf("beside a run: %s", r)
	}
	w.ca.Release()
	if r := renew.wait(); r.code != 0 {
		t.Errorf("renew: %s", r)
	}
	h.must("delete", "--cert-name", name, "-n")
	h.deleted(name)
}

// blind runs the program as somebody who may not read what the mode forbids.
func (h *host) blind(args ...string) result {
	h.t.Helper()
	return h.spawn("/usr/bin/setpriv", append(append([]string{"--bounding-set", "-dac_override,-dac_read_search", program}, args...), h.dirs()...)...).wait()
}

func TestCertificatesAreListedAsCertbotListsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		h.must(h.certonly(w.site(name, "www."+name), name, "www."+name)...)
	}
	lines := func(text string) string {
		var kept []string
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "Identifiers: ") { // certbot 5
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	for _, args := range [][]string{nil, {"--cert-name", "a.example.com"}, {"-d", "www.a.example.com"}, {"-d", "a.example.com", "-d", "www.a.example.com"}, {"-d", "a.example.com,b.example.com"}} {
		ours, theirs := h.must(append([]string{"certificates"}, args...)...), h.mustCertbot(append([]string{"certificates"}, args...)...)
		if lines(ours.stdout) != theirs.stdout && len(args) < 4 && !strings.Contains(strings.Join(args, " "), ",") {
			t.Errorf("%v: %s\nand certbot: %s", args, ours, theirs)
		}
	}
	if r := h.must("certificates", "-d", "a.example.com,b.example.com"); strings.Contains(r.stdout, "Certificate Name") {
		t.Errorf("no certificate has both names: %s", r)
	}
	h.write(filepath.Join(h.config, "renewal", "b.example.com.conf"), "nonsense\n")
	broken := h.must("certificates")
	broken.says(t, 0, "Certificate Name: a.example.com", "The following renewal configurations were invalid:\n  "+h.config+"/renewal/b.example.com.conf",
		"Renewal configuration file "+h.config+"/renewal/b.example.com.conf produced an unexpected error: ")
}

// Who may not read the certificates is told so, and not that they are broken.
func TestAListThatMayNotBeReadSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	for _, dir := range []string{"archive", "live"} {
		if err := os.Chmod(filepath.Join(h.config, dir), 0); err != nil {
			t.Fatal(err)
		}
		r := h.blind("certificates")
		r.says(t, 0, "the files of "+name+" cannot be read", "permission denied")
		if strings.Contains(r.String(), "symlink") {
			t.Errorf("with %s closed: %s", dir, r)
		}
	}
	for _, dir := range []string{"archive", "live"} {
		if err := os.Chmod(filepath.Join(h.config, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(h.config, "archive", name, "privkey1.pem"), 0); err != nil {
		t.Fatal(err)
	}
	h.blind("certificates").says(t, 0, "Certificate Name: "+name, "permission denied")
	if err := os.Chmod(filepath.Join(h.config, "renewal"), 0); err != nil {
		t.Fatal(err)
	}
	h.blind("certificates").says(t, 1, "the renewal files in "+h.config+"/renewal cannot be listed", "permission denied")
}

// answering runs the program at a terminal where somebody types.
func (h *host) answering(typed string, args ...string) result {
	h.t.Helper()
	line := "'" + strings.Join(append(append([]string{program}, args...), h.dirs()...), "' '") + "'"
	return h.spawn("/bin/sh", "-c", `printf '%s' "$1" | /usr/bin/script -qec "$2" /dev/null`, "sh", typed, line).wait()
}

// At a terminal certbot asks before it does what cannot be undone; scripts, and -n, get what they asked for.
func TestAPersonIsAskedBeforeWhatCannotBeUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	name := "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	h.answering("what\nn\n", "delete", "--cert-name", name).says(t, 0, "Are you sure you want to delete the above certificate(s)?", "Deletion of certificate(s) canceled.")
	h.goodPair(name, name)
	h.answering("a\n", "unregister", "--server", w.ca.DirectoryURL()).says(t, 1, "Are you sure you would like to irrevocably deactivate your account?", "(D)eactivate/(A)bort", "Deactivation aborted.")
	if a := w.account(); a.Status != "valid" {
		t.Errorf("%+v", a)
	}
	h.answering("n\n", "revoke", "--cert-name", name).says(t, 0, "Would you like to delete the certificate(s) you just revoked", "Congratulations!")
	h.goodPair(name, name)
	h.answering("y\n", "delete", "--cert-name", name).says(t, 0, "Deleted all files relating to certificate "+name+".")
	h.answering("d\n", "unregister", "--server", w.ca.DirectoryURL()).says(t, 0, "Account deactivated.")
	w.revoked(0)
}
