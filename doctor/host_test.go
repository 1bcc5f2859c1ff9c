package doctor_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
	"orderly/schedule"
)

// put writes a file of the host's below its root.
func (p *place) put(path, content string) {
	p.t.Helper()
	path = filepath.Join(p.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

// wholly looks at the host with its schedules and processes, all in the test's own directory.
func (p *place) wholly(change func(*doctor.Host)) []doctor.Finding {
	p.t.Helper()
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(p.dir, "etc"),
		Work: filepath.Join(p.dir, "lib"), Logs: filepath.Join(p.dir, "log")}}
	h := doctor.Host{Disk: disk, Ledger: p.store, Root: p.dir, Now: func() time.Time { return p.now }, Tell: p.t.Logf,
		Schedule: schedule.Host{Root: p.dir, Self: "/usr/local/bin/orderly"},
		Alive:    func(int64) (bool, error) { return false, nil }}
	if change != nil {
		change(&h)
	}
	r, err := doctor.Examine(p.t.Context(), h, doctor.Wanted{})
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Findings
}

// only is the finding of one check; none has no ID.
func only(t *testing.T, all []doctor.Finding, id string) doctor.Finding {
	t.Helper()
	var found doctor.Finding
	for _, f := range all {
		if f.ID != id {
			continue
		}
		if found.ID != "" {
			t.Errorf("%s twice: %s, %s", id, found.Sentence, f.Sentence)
		}
		found = f
	}
	return found
}

// ran records a run that ended so long after it began; 0 for one that was killed.
func (p *place) ran(r ledger.Run, took time.Duration, steps ...ledger.Event) {
	p.t.Helper()
	if took > 0 {
		r.EndedAt, r.Outcome = r.StartedAt.Add(took), "done"
	}
	events := append([]ledger.Event{{At: r.StartedAt, Kind: "run started"}}, steps...)
	if err := p.store.Commit(p.t.Context(), &ledger.Change{Run: &r, Events: events}); err != nil {
		p.t.Fatal(err)
	}
}

// says reports whether a finding has words.
func says(t *testing.T, f doctor.Finding, severity doctor.Severity, words string) {
	t.Helper()
	if f.Severity != severity || !strings.Contains(f.Sentence, words) || f.Remedy == "" || f.Class == "" {
		t.Errorf("want %s, %q: %+v", severity, words, f)
	}
}

// healthy makes a lineage that nothing is wrong with.
func (p *place) healthy(name string) {
	p.t.Helper()
	if err := p.at(name).Healthy(); err != nil {
		p.t.Fatal(err)
	}
}

func TestWhoElseRenewsIsTold(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	dir := "--config-dir " + filepath.Join(p.dir, "etc")
	p.put("usr/bin/certbot", "certbot")
	p.put("usr/local/bin/orderly", "orderly")
	p.put("root/.acme.sh/acme.sh", "acme.sh")
	p.put("etc/cron.d/tls", "# both\n1 1 * * * root certbot renew "+dir+"\n2 2 * * * root /root/.acme.sh/acme.sh --cron\n"+
		"3 3 * * * root certbot renew --config-dir /srv/other\n")
	if all := p.wholly(nil); len(all) != 0 {
		t.Errorf("where Orderly does not renew: %+v", all)
	}
	p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now.Add(-time.Hour)}, time.Minute)
	all := p.wholly(nil)
	if len(all) != 2 || all[0].Line+all[1].Line != 5 {
		t.Fatalf("%+v", all)
	}
	for _, f := range all {
		want := map[int]string{2: "renews the same certificates", 3: "acme.sh"}[f.Line]
		says(t, f, doctor.Note, want)
	}
}

func TestThatNobodyRenewsIsTold(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	if all := p.wholly(nil); len(all) != 0 {
		t.Errorf("nothing is overdue, and the directory is none of certbot's: %+v", all)
	}
	p.now = p.now.Add(45 * 24 * time.Hour)
	says(t, only(t, p.wholly(nil), "D26"), doctor.Fails, "1 certificates are overdue, and nobody has tried")

	p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now.Add(-time.Hour)}, time.Minute)
	if f := only(t, p.wholly(nil), "D26"); f.ID != "" {
		t.Errorf("it was renewed an hour ago: %+v", f)
	}
	p.now = p.now.Add(10 * 24 * time.Hour)
	p.put("usr/local/bin/orderly", "orderly")
	p.put("etc/cron.d/tls", "1 1 * * * root orderly renew --config-dir "+filepath.Join(p.dir, "etc")+"\n")
	says(t, only(t, p.wholly(nil), "D26"), doctor.Fails, "ended 10 days ago, though /etc/cron.d/tls should")
}

func TestRunsThatAreKilledAlikeAreTold(t *testing.T) {
	p := newPlace(t)
	p.put("usr/local/bin/orderly", "orderly")
	p.put("etc/cron.d/tls", "1 1 * * * root timeout 60 orderly renew\n")
	for i := range 8 {
		at := p.now.Add(-time.Duration(i+1) * 12 * time.Hour)
		r := ledger.Run{Command: "renew", Round: true, StartedAt: at}
		if i%2 == 0 {
			p.ran(r, time.Minute)
			continue
		}
		p.ran(r, 0, ledger.Event{At: at.Add(time.Duration(50+i) * time.Second), Kind: "challenge accepted"})
	}
	f := only(t, p.wholly(nil), "D27")
	says(t, f, doctor.Note, "4 of 8 runs of the last 30 days were killed, most of them after about 57 s, most of them after: challenge accepted")
	says(t, f, doctor.Note, "/etc/cron.d/tls ends them after 60")
	if f := only(t, p.wholly(func(h *doctor.Host) { h.Alive = func(int64) (bool, error) { return true, nil } }), "D27"); f.ID != "" {
		t.Errorf("they live: %+v", f)
	}
}

func TestFailedAttemptsAreCounted(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	p.now = p.now.Add(51*24*time.Hour + time.Hour) // not at the turn of a day
	first := p.now.Add(-14 * 24 * time.Hour)
	change := &ledger.Change{Standings: []ledger.Standing{{Lineage: "a.example", At: p.now,
		Reason: ledger.Because(failure.DNSMissing, "Create it.", "a.example has no address")}}}
	for i := range 14 {
		change.Events = append(change.Events, ledger.Event{At: first.Add(time.Duration(i) * 24 * time.Hour),
			Lineage: "a.example", Kind: ledger.Refused, Detail: "dns-missing: a.example has no address"})
	}
	if err := p.store.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	f := only(t, p.wholly(nil), "D28")
	says(t, f, doctor.Fails, "expires in 8 days; the last 14 attempts failed: a.example has no address")
	if !f.Since.Equal(first.Truncate(time.Microsecond)) {
		t.Errorf("since %s, not %s", f.Since, first)
	}
	if f := only(t, p.wholly(nil), "D29"); f.ID != "" {
		t.Errorf("too soon: %+v", f)
	}
	p.now = p.now.Add(80 * 24 * time.Hour)
	says(t, only(t, p.wholly(nil), "D29"), doctor.Note, "longer than it was valid")
}

func TestWhatNobodyGoesOnWithIsTold(t *testing.T) {
	p := newPlace(t)
	account := &ledger.Account{Server: "https://ca.example/directory", URL: "https://ca.example/acct/1"}
	change := &ledger.Change{Account: account, Run: &ledger.Run{Command: "certonly", StartedAt: p.now}}
	if err := p.store.Commit(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	o := &ledger.Order{AccountID: account.ID, Lineage: "a.example", Names: []string{"a.example"}, State: ledger.PendingState,
		CreatedAt: p.now, UpdatedAt: p.now, URL: "https://ca.example/order/1",
		Request: ledger.Request{Lineage: "a.example", Names: []string{"a.example"}, Server: account.Server}}
	task := &ledger.Task{RunID: change.Run.ID, Kind: ledger.HookTask, Subject: "systemctl start nginx", BegunAt: p.now}
	if err := p.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}, Tasks: []*ledger.Task{task}}); err != nil {
		t.Fatal(err)
	}
	if all := p.wholly(nil); len(all) != 0 {
		t.Errorf("at once: %+v", all)
	}
	p.now = p.now.Add(48 * time.Hour)
	var said []string
	for _, f := range p.wholly(nil) {
		if f.ID == "D30" {
			said = append(said, f.Sentence)
		}
	}
	if text := strings.Join(said, "; "); len(said) != 2 || !strings.Contains(text, "order 1 is pending") || !strings.Contains(text, "systemctl start nginx") {
		t.Errorf("%q", said)
	}
	f := only(t, p.wholly(func(h *doctor.Host) {
		h.Ledger, h.NoLedger = nil, failure.New(failure.Ledger, "Adopt it.", "the ledger was written on another host")
	}), "D30")
	says(t, f, doctor.Fails, "another host")
	f = only(t, p.wholly(func(h *doctor.Host) { // which D23 tells, with how it is mounted
		h.Ledger, h.NoLedger = nil, failure.Wrap(syscall.EROFS, failure.Config, "Mount it.", "no lock")
	}), "D30")
	if f.ID != "" {
		t.Errorf("a read-only file system is told twice: %+v", f)
	}
}

func TestAClockThatCannotBeRightIsTold(t *testing.T) {
	p := newPlace(t)
	p.ran(ledger.Run{Command: "renew", Round: true, StartedAt: p.now}, time.Minute)
	p.now = p.now.Add(-24 * time.Hour)
	says(t, only(t, p.wholly(nil), "D31"), doctor.Fails, "and run 1 was at work at")
	p.now = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	says(t, only(t, p.wholly(nil), "D31"), doctor.Fails, "which is before Orderly was made")
	p.now = time.Now().Add(time.Hour)
	loose := func(h *doctor.Host) { h.Unsynchronised = func() bool { return true } }
	if f := only(t, p.wholly(loose), "D31"); f.ID != "" {
		t.Errorf("in a container: %+v", f)
	}
	p.put("run/systemd/system/x", "")
	says(t, only(t, p.wholly(loose), "D31"), doctor.Note, "not synchronised")
}

func TestWhoHoldsALockForHoursIsTold(t *testing.T) {
	p := newPlace(t)
	p.now = time.Now()
	p.ran(ledger.Run{Command: "renew", PID: 4711, Round: true, StartedAt: p.now.Add(-3 * 24 * time.Hour)}, 0)
	alive := func(h *doctor.Host) { h.Alive = func(int64) (bool, error) { return true, nil } }
	f := only(t, p.wholly(alive), "D32")
	says(t, f, doctor.Fails, "process 4711 (run 1 (renew)) is at work since")
	if !strings.Contains(string(f.Remedy), "kill 4711") {
		t.Error(f.Remedy)
	}
	unknown := func(h *doctor.Host) { h.Alive = func(int64) (bool, error) { return false, errors.New("no lock file") } }
	if f := only(t, p.wholly(unknown), "D32"); f.ID != "" {
		t.Errorf("%+v", f)
	}
}

// The start of a process is told by the kernel's own words, whatever it is called.
func TestWhenAProcessWasStarted(t *testing.T) {
	p := newPlace(t)
	p.put("proc/stat", "cpu  1 2 3\nbtime 1700000000\nprocesses 7\n")
	p.put("proc/42/stat", "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 360000 1 2 3\n")
	p.put("proc/42/cmdline", "certbot\x00renew\x00\x1b[31m\x00")
	since, name := doctor.ProcessOf(p.dir, 42)
	if want := time.Unix(1700003600, 0); !since.Equal(want) || name != "certbot renew  [31m" {
		t.Errorf("%s, %q", since, name)
	}
	if since, _ := doctor.ProcessOf(p.dir, 43); !since.IsZero() {
		t.Error(fmt.Sprint(since))
	}
}
