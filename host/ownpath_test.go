package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files of a person's own CSR are written where the path led when it was looked at, and through
// no link of another user.
func TestTheFilesOfACSRGoWhereTheyWereMeantTo(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "real"), 0o755))
	must(os.Mkdir(filepath.Join(dir, "other"), 0o755))
	link := filepath.Join(dir, "link")
	must(os.Symlink("real", link))
	out, err := Outputs(Output{Cert: filepath.Join(link, "cert.pem"), Chain: filepath.Join(link, "chain.pem"), FullChain: filepath.Join(link, "full.pem")})
	must(err)
	if out.Cert != filepath.Join(dir, "real", "cert.pem") {
		t.Errorf("written to %s", out.Cert)
	}
	t.Chdir(filepath.Join(dir, "other"))
	if _, err := Outputs(Output{}); err != nil {
		t.Errorf("names that were not chosen: %v", err)
	}
	if os.Geteuid() != 0 {
		return // the rest needs another user's link
	}
	const another = " is a link that another user made"
	must(os.Rename(filepath.Join(dir, "real"), filepath.Join(dir, "away")))
	must(os.Symlink("other", filepath.Join(dir, "real"))) // swapped before the certificate is there
	must(os.Lchown(filepath.Join(dir, "real"), 1600, 1600))
	if err := write(out, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")); err == nil || !strings.Contains(err.Error(), another) {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "other", "cert.pem")); err == nil {
		t.Error("it was written where another user led")
	}
	must(os.Lchown(link, 1600, 1600))
	if _, err := Outputs(Output{Cert: filepath.Join(link, "cert.pem")}); err == nil || !strings.Contains(err.Error(), another) {
		t.Errorf("%v", err)
	}
}
