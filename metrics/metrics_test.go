package metrics_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/limit"
	"orderly/metrics"
)

// promtool runs Prometheus' own judge, which scripts/deps installs.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Fatalf("make deps installs promtool: %v", err)
	}
	c := exec.CommandContext(t.Context(), "promtool", args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s%s", strings.Join(args, " "), err, out, stdin)
	}
}

// The rules are rules, and each alert fires where it must and nowhere else.
func TestTheRulesAreWhatPrometheusTakes(t *testing.T) {
	text, err := os.ReadFile("orderly.rules.yml")
	if err != nil || metrics.Rules() != string(text) {
		t.Errorf("printed are other rules: %v", err)
	}
	promtool(t, "", "check", "rules", "orderly.rules.yml")
	promtool(t, "", "test", "rules", "testdata/rules.test.yml")
	tests, err := os.ReadFile("testdata/rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, is := strings.CutPrefix(strings.TrimSpace(line), "- alert: "); is &&
			bytes.Count(tests, []byte("alertname: "+name+"\n"))+bytes.Count(tests, []byte("alertname: "+name+",")) != 2 {
			t.Errorf("%s is not tested both ways", name)
		}
	}
}

var now = time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)

// host is one with something of everything.
func host(t *testing.T) metrics.Facts {
	t.Helper()
	days := func(n float64) time.Time { return now.Add(time.Duration(n * 24 * float64(time.Hour))) }
	held := func(name string, issued, due, expires float64) doctor.DocumentLineage {
		return doctor.DocumentLineage{Name: name, Names: []string{name}, Issued: days(issued), Due: days(due), Expires: days(expires)}
	}
	never := held("never.example", -80, 0, 10)
	never.Due = time.Time{}
	profiles, err := limit.Load("[[ca]]\nname = \"letsencrypt\"\ncounts_pending = 300\n", "ca.toml")
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New()
	le := &ledger.Account{Server: "https://acme-v02.api.letsencrypt.org/directory", KeyID: "1", URL: "https://le.example/acct/1"}
	commit := func(c *ledger.Change) {
		if err := store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	commit(&ledger.Change{Account: le, Standings: []ledger.Standing{
		{Lineage: "late.example", At: now, Reason: ledger.Because(failure.DNSMissing, "", "no address")},
		{Lineage: "gone.example", At: now, Reason: ledger.Because(failure.DNSMissing, "", "no address")},
		{Lineage: "over.example", At: now, Reason: ledger.Because("a-class-of-tomorrow", "", "x")}},
		Messages: []ledger.Message{{Channel: "mail\n\"\\\x1b[31m", Subject: "s", Created: days(-1), Tries: 3}, {Channel: "b", Subject: "s", Created: days(-0.5)}}})
	commit(&ledger.Change{Orders: []*ledger.Order{{AccountID: le.ID, Lineage: "late.example", Names: []string{"late.example"},
		State: ledger.PendingState, CreatedAt: now, URL: "https://le.example/order/1", Expires: days(7), Authorizations: []*ledger.Authorization{
			{URL: "https://le.example/authz/1", Name: "late.example", Status: ledger.AuthorizationPending, Expires: days(7)}}}},
		Spends: []ledger.Spend{
			{AccountID: le.ID, Name: limit.NewOrdersPerAccount, Next: func(time.Time) (time.Time, error) { return now.Add(90 * time.Minute), nil }},
			{AccountID: le.ID, Name: limit.CertificatesPerFQDNSet, Key: "a", Next: func(time.Time) (time.Time, error) { return days(7), nil }},
			{AccountID: le.ID, Name: limit.CertificatesPerFQDNSet, Key: "b", Next: func(time.Time) (time.Time, error) { return days(1), nil }}}})
	run := func(command string, pid int, began, took time.Duration, exit int) {
		r := &ledger.Run{Command: command, PID: pid, StartedAt: now.Add(-began), ExitCode: exit}
		commit(&ledger.Change{Run: r})
		if took > 0 {
			r.EndedAt, r.Outcome = r.StartedAt.Add(took), "done"
			commit(&ledger.Change{Run: r})
		}
	}
	run("renew", 1, 36*time.Hour, time.Minute, 0)
	run("renew", 2, 12*time.Hour, 90*time.Second, 1)
	run("renew", 3, 2*time.Hour, 0, 0)
	run("certonly a.example", 7, time.Minute, 0, 0)
	return metrics.Facts{At: now, Version: "1.2.3", Ledger: store, Profiles: profiles,
		Alive: func(r ledger.Run) (bool, error) { return r.PID == 7, nil },
		Report: doctor.Report{Lineages: 6, Held: []doctor.DocumentLineage{
			held("fresh.example", -1, 59, 89), held("short.example", -5, -0.5, 1.5), held("late.example", -85, -25, 5), held("over.example", -91, -31, -1), never},
			Findings: []doctor.Finding{{ID: "D14", Severity: doctor.Fails}, {ID: "D14", Severity: doctor.Fails}, {ID: "D9", Severity: doctor.Note}}}}
}

// What is counted is what there is, and Prometheus reads it; no certificate has a series.
func TestWhatIsCounted(t *testing.T) {
	all, err := metrics.Gather(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	text := metrics.Text(all)
	promtool(t, text, "check", "metrics")
	for _, want := range []string{
		`orderly_build_info{version="1.2.3"} 1`,
		`orderly_metrics_timestamp_seconds 1795845600`,
		`orderly_certificates 6`,
		`orderly_certificates_unreadable 1`,
		`orderly_certificates_expiring{within_days="0"} 1`,
		`orderly_certificates_expiring{within_days="3"} 2`,
		`orderly_certificates_expiring{within_days="14"} 4`,
		`orderly_certificates_overdue{within_days="3"} 1`,
		`orderly_certificates_overdue{within_days="14"} 2`,
		`orderly_certificate_first_expiry_timestamp_seconds 1795975200`,
		`orderly_findings{id="D14",severity="fails"} 2`,
		`orderly_findings{id="D9",severity="note"} 1`,
		`orderly_certificates_failing{class="dns-missing"} 1`,
		`orderly_certificates_failing{class="unclassified"} 1`,
		`orderly_run_end_timestamp_seconds{command="renew"} 1795802490`,
		`orderly_run_duration_seconds{command="renew"} 90`,
		`orderly_run_exit_code{command="renew"} 1`,
		`orderly_run_killed{command="renew"} 1`,
		`orderly_run_killed{command="certonly"} 0`,
		`orderly_runs_active 1`,
		`orderly_authorizations_open{account="https://le.example/acct/1",ca="letsencrypt"} 1`,
		`orderly_authorizations_open_limit{account="https://le.example/acct/1",ca="letsencrypt"} 300`,
		`per="account"} 150`,
		`per="name"} 0`,
		`orderly_messages_waiting 2`,
		`orderly_messages_failing{channel="mail \"\\ [31m"} 1`,
		`orderly_message_oldest_timestamp_seconds 1795759200`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "late.example") {
		t.Errorf("a certificate has a series: %s", text)
	}
}

// A host without a ledger is counted as far as its files go, and an empty one is no broken one.
func TestAHostWithoutALedgerIsCounted(t *testing.T) {
	facts := host(t)
	facts.Ledger = nil
	for _, f := range []metrics.Facts{facts, {At: now}} {
		all, err := metrics.Gather(t.Context(), f)
		text := metrics.Text(all)
		if err != nil || !strings.Contains(text, "\norderly_certificates ") || strings.Contains(text, "orderly_run") {
			t.Errorf("%v\n%s", err, text)
		}
		promtool(t, text, "check", "metrics")
	}
}

// Whatever is in the ledger, and however many, there are few series, and each is one for Prometheus.
func TestSeriesAreFew(t *testing.T) {
	facts := host(t)
	c := &ledger.Change{}
	for i := range 1000 {
		c.Messages = append(c.Messages, ledger.Message{Channel: fmt.Sprintf("%d\xff\u202e%s", i, strings.Repeat("x", 1000)), Created: now, Tries: 1})
		facts.Report.Findings = append(facts.Report.Findings, doctor.Finding{ID: fmt.Sprint("D", i), Severity: doctor.Note})
	}
	if err := facts.Ledger.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	all, err := metrics.Gather(t.Context(), facts)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if len(f.Samples) > 201 {
			t.Errorf("%s has %d", f.Name, len(f.Samples))
		}
	}
	if text := metrics.Text(all); !strings.Contains(text, `{channel="other"} `) || len(text) > 100_000 {
		t.Errorf("%d bytes: %.300s", len(text), text)
	} else {
		promtool(t, text, "check", "metrics")
	}
}

// What is counted stands in the documentation, and nothing else.
func TestEveryMetricIsDocumented(t *testing.T) {
	all, err := metrics.Gather(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| (orderly_[^|]+) \|`).FindAllStringSubmatch(string(text), -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			documented[name] = true
		}
	}
	for _, f := range all {
		if !documented[f.Name] {
			t.Errorf("%s is not documented", f.Name)
		}
		delete(documented, f.Name)
	}
	for name := range documented {
		t.Errorf("%s is documented, and not there", name)
	}
}
