package cli

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/vantage/vantagetest"
	"orderly/zone/zonetest"
)

// doctor --online asks the resolver that was named, fetches the probe at the port that was named, and
// leaves nothing behind.
func TestTheDoctorLooksAtTheNetwork(t *testing.T) {
	dir := t.TempDir()
	at := damage.Dir{Config: filepath.Join(dir, "etc"), Name: "shop.example", Others: []string{"gone.shop.example"},
		Root: t.TempDir(), Server: "https://ca.example/directory", Account: "0123", Left: 60 * 24 * time.Hour}
	if err := at.Healthy(); err != nil {
		t.Fatal(err)
	}
	names := zonetest.New()
	t.Cleanup(names.Close)
	resolver := names.Serve("192.0.2.53", zonetest.NewZone("example", "shop A 127.0.0.1"))
	web := httptest.NewServer(http.FileServer(http.Dir(at.Root)))
	t.Cleanup(web.Close)
	command := []string{"doctor", "--online", "--json", "--config-dir", at.Config, "--work-dir", filepath.Join(dir, "lib"),
		"--logs-dir", filepath.Join(dir, "log"), "--resolver", resolver.Address(), "--preflight-port", web.URL[strings.LastIndexByte(web.URL, ':')+1:]}
	_, out, problems := run(t, "orderly", command...)
	var d doctor.Document
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Fatalf("%v: %s%s", err, out, problems)
	}
	var network []doctor.DocumentFinding
	for _, f := range d.Findings {
		if f.ID > "D36" && len(f.ID) == 3 {
			network = append(network, f)
		}
	}
	if len(network) != 1 || network[0].ID != "D38" || network[0].Severity != doctor.Doubtful || network[0].Names[0] != "gone.shop.example" {
		t.Errorf("%+v", network)
	}
	if left, _ := filepath.Glob(filepath.Join(at.Root, ".well-known/acme-challenge/*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// doctor --via looks from another place as well, which connects to nothing of this host's own that
// was not allowed.
func TestTheDoctorLooksFromAnotherPlace(t *testing.T) {
	dir := t.TempDir()
	at := damage.Dir{Config: filepath.Join(dir, "etc"), Name: "shop.example", Root: t.TempDir(),
		Server: "https://ca.example/directory", Account: "0123", Left: 60 * 24 * time.Hour}
	if err := at.Healthy(); err != nil {
		t.Fatal(err)
	}
	names := zonetest.New()
	t.Cleanup(names.Close)
	resolver := names.Serve("192.0.2.53", zonetest.NewZone("example", "shop A 127.0.0.1"))
	web := httptest.NewServer(http.FileServer(http.Dir(at.Root)))
	t.Cleanup(web.Close)
	abroad := httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) { to.WriteHeader(451) }))
	t.Cleanup(abroad.Close)
	proxy := &vantagetest.Proxy{User: "me", Password: "word", Reach: func(string) (net.Conn, error) {
		return net.Dial("tcp", abroad.Listener.Addr().String())
	}}
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	command := []string{"doctor", "--online", "--json", "--config-dir", at.Config, "--work-dir", filepath.Join(dir, "lib"),
		"--logs-dir", filepath.Join(dir, "log"), "--resolver", resolver.Address(), "--preflight-port", web.URL[strings.LastIndexByte(web.URL, ':')+1:],
		"--via", "http://me:word@" + proxy.Address()}
	for _, allowed := range []bool{false, true} {
		if allowed {
			command = append(command, "--preflight-allow", "127.0.0.0/8")
		}
		_, out, problems := run(t, "orderly", command...)
		if strings.Contains(out, `"D48"`) != allowed || strings.Contains(out, "451") != allowed || len(proxy.Asked()) > 0 != allowed ||
			strings.Contains(out+problems, "word@") {
			t.Errorf("allowed %t: %s%s, connected to %q", allowed, out, problems, proxy.Asked())
		}
	}
}

// A flag that would be ignored is refused.
func TestFlagsOfTheNetworkNeedTheNetwork(t *testing.T) {
	dir := t.TempDir()
	for _, flags := range [][]string{{"--resolver", "127.0.0.1:53"}, {"--preflight-port", "81"}, {"--preflight-allow", "10.0.0.0/8"},
		{"--addresses", "/dev/null"}, {"--via", "socks5://127.0.0.1:1"}, {"--online", "--via", "127.0.0.1:1"}, {"--ca"}, {"--online", "--merge", dir}, {"--online", "--resolver", "nonsense"}} {
		command := append([]string{"doctor", "--config-dir", dir, "--work-dir", dir, "--logs-dir", dir}, flags...)
		if code, _, problems := run(t, "orderly", command...); code != 2 || problems == "" {
			t.Errorf("%v: exit %d %s", flags, code, problems)
		}
	}
}

// A group that will fail, and of which a part is doubtful, says both: a doubt forbids nothing.
func TestTheHeadOfAGroupTellsItsDoubts(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	g := doctor.Group{Findings: []doctor.Finding{{Severity: doctor.WillFail, HurtsAt: at}, {Severity: doctor.Doubtful}}}
	if got := hurting(g); got != " (will fail from 2026-12-01 on; 1 of 2 doubtful)" {
		t.Error(got)
	}
	g.Findings = g.Findings[:1]
	if got := hurting(g); got != " (will fail from 2026-12-01 on)" {
		t.Error(got)
	}
}
