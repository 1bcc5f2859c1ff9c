package e2e_test

import (
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// loopbackPort is a port of the loopback address that nobody listens on just now.
func loopbackPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}

// solverWorld is a host to which the CA comes at a port of its own.
func solverWorld(t *testing.T, config testca.Config) (*host, int) {
	t.Helper()
	config.HTTPPort = loopbackPort(t)
	w := newWorld(t, config)
	return w.host("one"), config.HTTPPort
}

// proven is the command line for a certificate for names, proven as flags say.
func (h *host) proven(port int, flags []string, names ...string) []string {
	args := slices.Concat([]string{"certonly"}, flags, []string{"-n", "--agree-tos", "--register-unsafely-without-email", "--server",
		h.ca.DirectoryURL(), "--longest-validation", "2s", "--preflight-port", strconv.Itoa(port)})
	for _, name := range names {
		args = append(args, "-d", name)
	}
	return args
}

func standaloneFlags(port int) []string {
	return []string{"--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", strconv.Itoa(port)}
}

// hookFlags are those of hooks that make TXT records at the CA's control endpoint and note what they do; first stands before
// what the auth hook does.
func (h *host) hookFlags(first string) []string {
	h.t.Helper()
	server := httptest.NewServer(h.ca.Control())
	h.t.Cleanup(server.Close)
	record := "curl -sf " + server.URL + "/txt -d name=_acme-challenge.$CERTBOT_DOMAIN --data-urlencode value=$CERTBOT_VALIDATION"
	notes := filepath.Join(h.dir, "notes")
	return []string{"--manual", "--preferred-challenges", "dns",
		"--manual-auth-hook", first + record + " && echo auth $CERTBOT_DOMAIN >> " + notes + " && echo output",
		"--manual-cleanup-hook", record + " -d remove=true && echo cleanup $CERTBOT_DOMAIN $CERTBOT_AUTH_OUTPUT >> " + notes}
}

// noted is what hooks noted.
func (h *host) noted() string {
	h.t.Helper()
	lines := strings.Split(strings.TrimSpace(h.read(filepath.Join(h.dir, "notes"))), "\n")
	return strings.Join(lines, "; ")
}

// A run that is killed with everything in place and nothing answered leaves nothing that the next one does not finish.
func TestAKillBetweenPlacingAndAnsweringWithEachSolver(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run("standalone, signal "+strconv.Itoa(int(signal)), func(t *testing.T) {
			t.Parallel()
			h, port := solverWorld(t, testca.Config{})
			names := someNames(2)
			args := h.proven(port, standaloneFlags(port), names...)
			endedInTime(t, h.interrupt(point{"challenge", 1, false}, signal, args...), signal)
			h.must(args...)
			h.kept(promise{names: names})
		})
		t.Run("manual, signal "+strconv.Itoa(int(signal)), func(t *testing.T) {
			t.Parallel()
			h, port := solverWorld(t, testca.Config{})
			names := []string{"w.example.com", "*.w.example.com"}
			args := h.proven(port, h.hookFlags(""), names...)
			endedInTime(t, h.interrupt(point{"challenge", 1, false}, signal, args...), signal)
			if left := h.ca.TXT("_acme-challenge.w.example.com"); len(left) != 2 {
				t.Errorf("in place when it was killed: %v", left)
			}
			h.must(args...)
			h.kept(promise{names: names})
			if got := h.noted(); got != "auth w.example.com; auth w.example.com; cleanup w.example.com output; cleanup w.example.com output" {
				t.Errorf("hooks: %s", got)
			}
			if left := h.ca.TXT("_acme-challenge.w.example.com"); len(left) != 0 {
				t.Errorf("records are left: %v", left)
			}
		})
	}
}

// The cleanup hook is owed also where the lineage is not asked for again, and only the next run of whatever kind comes by.
func TestTheNextRunCleansUpAfterADeadOne(t *testing.T) {
	t.Parallel()
	h, port := solverWorld(t, testca.Config{})
	h.interrupt(point{"challenge", 1, true}, syscall.SIGKILL, h.proven(port, h.hookFlags(""), "a.example.com")...)
	h.must("resume", "--longest-validation", "2s", "--preflight-port", strconv.Itoa(port))
	if got := h.noted(); got != "auth a.example.com; cleanup a.example.com output" {
		t.Errorf("hooks: %s", got)
	}
	h.kept(promise{names: []string{"a.example.com"}})
}

// Auth hooks wait for DNS to spread, for minutes: a signal must not have to.
func TestASignalEndsALongAuthHookAndTheNextRunGoesOn(t *testing.T) {
	t.Parallel()
	h, port := solverWorld(t, testca.Config{})
	begun := filepath.Join(h.dir, "begun")
	flags := h.hookFlags("if ! test -e " + begun + "; then touch " + begun + "; sleep 300; fi; ")
	args := h.proven(port, flags, "a.example.com")
	c := h.start(args...)
	until(t, "the hook begins", func() bool { return exists(begun) })
	c.signal(syscall.SIGTERM)
	endedInTime(t, c.wait(), syscall.SIGTERM)
	h.must(args...)
	h.kept(promise{names: []string{"a.example.com"}})
	if got := h.noted(); got != "cleanup a.example.com; auth a.example.com; cleanup a.example.com output" {
		t.Errorf("hooks: %s", got)
	}
}

// Of two runs that need the same port one waits; the pre- and post-hooks of each, which stop and start the web server, do
// not mix.
func TestTwoRunsTakeTurnsAtThePort(t *testing.T) {
	t.Parallel()
	h, port := solverWorld(t, testca.Config{})
	notes := filepath.Join(h.dir, "notes")
	flags := append(standaloneFlags(port), "--pre-hook", "echo stop >> "+notes, "--post-hook", "echo start >> "+notes)
	h.hold("challenge", 1, false)
	first := h.start(h.proven(port, flags, "a.example.com")...)
	held := h.held(first)
	second := h.start(h.proven(port, flags, "b.example.com")...)
	until(t, "the second run waits", func() bool {
		return strings.Contains(second.err.String(), "which is at work on TCP port")
	})
	h.ca.Release(held.ID)
	for _, c := range []*child{first, second} {
		if r := c.wait(); r.code != 0 {
			t.Errorf("%s", r)
		}
	}
	if got := h.noted(); got != "stop; start; stop; start" {
		t.Errorf("hooks: %s", got)
	}
	h.goodPair("a.example.com", "a.example.com")
	h.goodPair("b.example.com", "b.example.com")
	if n := h.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations are pending", n)
	}
}

func TestCertbotRenewsWhatARunsOwnWebServerProved(t *testing.T) {
	t.Parallel()
	h, port := solverWorld(t, withPebbleDates())
	names := someNames(2)
	h.must(h.proven(port, standaloneFlags(port), names...)...)
	h.readByCertbot(names[0], names...)
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	byCertbot := h.goodPair(names[0], names...)
	h.must("renew", "--force-renewal", "--preflight-port", strconv.Itoa(port))
	if again := h.goodPair(names[0], names...); again == nil || byCertbot == nil || again.SerialNumber.Cmp(byCertbot.SerialNumber) == 0 {
		t.Error("the last renewal changed nothing")
	}
	h.readByCertbot(names[0], names...)
	h.kept(promise{names: names, certificates: 3})
}

func TestCertbotAndOrderlyRenewByTheSameHooks(t *testing.T) {
	t.Parallel()
	h, port := solverWorld(t, testca.Config{})
	flags := h.hookFlags("")
	h.mustCertbot(slices.Concat([]string{"certonly"}, flags, []string{"-d", "w.example.com", "-d", "*.w.example.com", "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", h.ca.DirectoryURL()})...)
	h.must("renew", "--force-renewal", "--preflight-port", strconv.Itoa(port))
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.must("renew", "--force-renewal", "--preflight-port", strconv.Itoa(port))
	h.goodPair("w.example.com", "w.example.com", "*.w.example.com")
	if got := h.noted(); strings.Count(got, "auth") != 8 || strings.Count(got, "cleanup w.example.com output") != 8 {
		t.Errorf("hooks: %s", got)
	}
	if n := h.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations are pending", n)
	}
}
