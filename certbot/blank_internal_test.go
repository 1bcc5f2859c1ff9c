package certbot

import "testing"

func TestFilesOfALineageAreTold(t *testing.T) {
	for name, want := range map[string]bool{"README": true, "cert.pem": true, "previous_chain.pem": true,
		"fullchain.pem": true, "privkey.pem": true, "": false, "previous_README": false, "cert1.pem": false,
		"previous_previous_cert.pem": false, "cert.pem\n": false, "readme": false, "x": false} {
		if got := isLineageFile(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
