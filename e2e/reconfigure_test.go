package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestReconfigureTriesWhatItWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	before := h.goodPair(names[0], names...)
	moved := filepath.Join(w.dir, "sites", "moved")
	w.write(filepath.Join(moved, "index.html"), "x")
	command := []string{"reconfigure", "--cert-name", names[0], "-w", moved, "--post-hook", "true", "--key-type", "rsa", "-n"}
	conf := h.read(h.conf(names[0]))
	refused := h.orderly(command...)
	refused.says(t, 1, names[0]+" was not reconfigured, since a renewal with the new settings would fail")
	if h.read(h.conf(names[0])) != conf {
		t.Errorf("changed all the same: %s", h.read(h.conf(names[0])))
	}
	for _, name := range names {
		w.web.serve(name, moved)
	}
	h.must(command...).says(t, 0, "Simulating renewal of an existing certificate for", "Successfully updated configuration.\nChanges will apply when the certificate renews.")
	if after := h.goodPair(names[0], names...); after.SerialNumber.Cmp(before.SerialNumber) != 0 {
		t.Error("the rehearsal put a certificate in place")
	}
	for _, line := range []string{"webroot_path = " + moved + ",", "post_hook = true", "key_type = rsa"} {
		if !strings.Contains(h.read(h.conf(names[0])), line+"\n") {
			t.Errorf("no line %q in %s", line, h.read(h.conf(names[0])))
		}
	}
	h.must("reconfigure", "--cert-name", names[0], "--post-hook", "true", "-n").says(t, 0, "No changes were made to the renewal configuration.")
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.must("certificates").says(t, 0, "Key Type: RSA")
	h.must("renew", "--force-renewal")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations stay pending", n)
	}
}

// Another way to prove the names is tried before it is written, and both programs go it afterwards.
func TestReconfigureChangesHowNamesAreProven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	name := "a.example.com"
	root := w.site(name)
	h.must(h.certonly(root, name)...)
	dir := filepath.Join(root, ".well-known/acme-challenge")
	hook := "mkdir -p " + dir + "; printf %s $CERTBOT_VALIDATION > " + dir + "/$CERTBOT_TOKEN"
	h.must("reconfigure", "--cert-name", name, "--manual", "--manual-auth-hook", hook, "-n").says(t, 0, "Successfully updated configuration.")
	conf := h.read(h.conf(name))
	if !strings.Contains(conf, "authenticator = manual\n") || !strings.Contains(conf, "manual_auth_hook = ") || strings.Contains(conf, "webroot") {
		t.Errorf("written: %s", conf)
	}
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.must("renew", "--force-renewal")
	h.must("reconfigure", "--cert-name", name, "-w", root, "-n").says(t, 0, "Successfully updated configuration.")
	if conf := h.read(h.conf(name)); !strings.Contains(conf, "authenticator = webroot\n") || strings.Contains(conf, "manual_") {
		t.Errorf("written: %s", conf)
	}
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.goodPair(name, name)
}
