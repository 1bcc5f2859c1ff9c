package digest_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/digest"
	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
)

var morning = time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)

func say(r failure.Remedy) string {
	return r.Say(func(step failure.Step, args []string) string {
		return "`orderly " + strings.Join(append([]string{string(step)}, args...), " ") + "`"
	})
}

func finding(id, lineage string, severity doctor.Severity) doctor.Finding {
	return doctor.Finding{ID: id, Class: failure.DNSMissing, Severity: severity, Lineage: lineage, Names: []string{lineage},
		Sentence: "it fails", HurtsAt: morning.AddDate(0, 0, 3), Remedy: "Mend it."}
}

// life is a server that is told of again and again.
type life struct {
	state digest.State
	at    time.Time
}

func (l *life) digest(held []doctor.DocumentLineage, findings ...doctor.Finding) *digest.Digest {
	d, after := digest.Make(digest.Input{Host: "web1", At: l.at, Held: here(held), Say: say, All: "orderly doctor",
		Report: doctor.Report{Findings: findings, Lineages: len(held)}}, l.state)
	l.state = after
	l.at = l.at.AddDate(0, 0, 1)
	return d
}

func here(held []doctor.DocumentLineage) iter.Seq2[string, doctor.DocumentLineage] {
	return func(yield func(string, doctor.DocumentLineage) bool) {
		for _, l := range held {
			if !yield("", l) {
				return
			}
		}
	}
}

func TestAFindingIsToldOnce(t *testing.T) {
	l := &life{at: morning}
	a, b := finding("D38", "a.example", doctor.WillFail), finding("D38", "b.example", doctor.Fails)
	d := l.digest(nil, a, b)
	if len(d.New) != 1 || len(d.New[0].Items) != 2 || !d.Act || d.Empty() ||
		d.Verdict != "Somebody must act: 2 certificates cannot be renewed." {
		t.Errorf("%+v", d)
	}
	a.Sentence, a.Since = "it fails for 9 days", morning // another text of the same thing
	if d = l.digest(nil, a, b); !d.Empty() || d.Open != 2 || d.Act {
		t.Errorf("%+v", d)
	}
	a.Severity = doctor.Fails
	if d = l.digest(nil, a, b); len(d.Worse) != 1 || len(d.New)+len(d.Mended) != 0 || d.Open != 1 || !d.Act {
		t.Errorf("%+v", d)
	}
	a.Names = append(a.Names, "www.a.example")
	if d = l.digest(nil, a, b); len(d.Worse) != 1 {
		t.Errorf("another name: %+v", d)
	}
	b.Cause = "another" // the same check finds another cause: that is no recovery
	if d = l.digest(nil, a, b); len(d.New) != 1 || len(d.Mended) != 0 {
		t.Errorf("%+v", d)
	}
	if d = l.digest(nil, a); len(d.Mended) != 1 || d.Mended[0].Lineage != "b.example" || d.Act ||
		d.Verdict != "Nobody has to do anything new: 1 mended; 1 finding that was told before is still there." {
		t.Errorf("%+v", d)
	}
	if d = l.digest(nil); len(d.Mended) != 1 {
		t.Errorf("%+v", d)
	}
	if d = l.digest(nil); !d.Empty() || d.Verdict != "Nothing has changed." {
		t.Errorf("%+v", d)
	}
}

// `doctor --new` and the digest have one notion of what was told: neither words, lines, numbers, the
// version of a certificate nor the addresses of a balancer make a finding another one; another name,
// check, cause or file does, and a worse severity.
func TestTheDoctorAndTheDigestAgreeOnWhatIsNew(t *testing.T) {
	base := finding("D28", "a.example", doctor.WillFail)
	base.File, base.Line, base.Cause = "/etc/letsencrypt/archive/a.example/cert4.pem", 3, "dns-missing"
	host := doctor.Finding{ID: "D22", Severity: doctor.Note, File: "/srv/a", Cause: "tokens", Sentence: "12 tokens"}
	away := finding("D39", "a.example", doctor.WillFail)
	away.Cause = "198.51.100.7 198.51.100.8"
	for _, test := range []struct {
		what   string
		first  doctor.Finding
		change func(f *doctor.Finding)
		news   bool
	}{
		{"nothing", base, func(*doctor.Finding) {}, false},
		{"words, dates and lines", base, func(f *doctor.Finding) {
			f.Sentence, f.Since, f.HurtsAt, f.Line = "it ends in 3 days", morning, morning, 9
		}, false},
		{"the certificate's version", base, func(f *doctor.Finding) { f.File = "/etc/letsencrypt/archive/a.example/cert5.pem" }, false},
		{"a number of the host's", host, func(f *doctor.Finding) { f.Sentence = "13 tokens" }, false},
		{"a balancer's addresses", away, func(f *doctor.Finding) { f.Cause = "198.51.100.9" }, false},
		{"better", base, func(f *doctor.Finding) { f.Severity = doctor.Doubtful }, false},
		{"worse", base, func(f *doctor.Finding) { f.Severity = doctor.Fails }, true},
		{"a doubt that was a note", host, func(f *doctor.Finding) { f.Severity = doctor.Doubtful }, true},
		{"another name", base, func(f *doctor.Finding) { f.Names = []string{"www.a.example"} }, true},
		{"one name more", base, func(f *doctor.Finding) { f.Names = []string{"a.example", "www.a.example"} }, true},
		{"the whole certificate", base, func(f *doctor.Finding) { f.Names = nil }, true},
		{"another cause", base, func(f *doctor.Finding) { f.Cause = "caa-forbids" }, true},
		{"another file of the host's", host, func(f *doctor.Finding) { f.File = "/srv/b" }, true},
	} {
		second := test.first
		second.Names = slices.Clone(test.first.Names)
		test.change(&second)
		_, seen := doctor.Report{At: morning, Findings: []doctor.Finding{test.first}}.New(nil)
		fresh, _ := doctor.Report{At: morning.AddDate(0, 0, 1), Findings: []doctor.Finding{second}}.New(&seen)
		l := &life{at: morning}
		l.digest(nil, test.first)
		d := l.digest(nil, second)
		if byDoctor, byDigest := len(fresh.Findings) > 0, len(d.New)+len(d.Worse) > 0; byDoctor != test.news || byDigest != test.news {
			t.Errorf("%s: news for doctor --new: %v, for the digest: %v", test.what, byDoctor, byDigest)
		}
	}
}

// Each threshold is told once, and the renewal that comes in the end.
func TestEachThresholdIsToldOnce(t *testing.T) {
	cert := doctor.DocumentLineage{Name: "a.example", Names: []string{"a.example"}, Issued: morning.AddDate(0, 0, -70),
		Expires: morning.AddDate(0, 0, 20), Due: morning.AddDate(0, 0, -10)}
	l := &life{at: morning}
	var told []int
	for range 25 {
		for _, e := range l.digest([]doctor.DocumentLineage{cert}).Ending {
			told = append(told, e.Days)
		}
	}
	if !slices.Equal(told, []int{14, 7, 3, 1, 0}) {
		t.Errorf("told were %v", told)
	}
	cert.Expires, cert.Due = l.at.AddDate(0, 0, 90), l.at.AddDate(0, 0, 60)
	if d := l.digest([]doctor.DocumentLineage{cert}); len(d.Mended) != 1 || !strings.HasPrefix(d.Mended[0].Title, "renewed: valid until") {
		t.Errorf("%+v", d)
	}
	if d := l.digest([]doctor.DocumentLineage{cert}); !d.Empty() {
		t.Errorf("%+v", d)
	}
}

// A certificate that lives six days, and one whose file says to wait, end soon and are renewed: nobody
// is told. One that fails is.
func TestACertificateThatIsRenewedInTimeIsNotToldOf(t *testing.T) {
	short := doctor.DocumentLineage{Name: "short.example", Issued: morning.AddDate(0, 0, -3), Expires: morning.AddDate(0, 0, 3), Due: morning}
	late := doctor.DocumentLineage{Name: "late.example", Issued: morning.AddDate(0, 0, -80), Expires: morning.AddDate(0, 0, 10),
		Due: morning.AddDate(0, 0, 5)}
	l := &life{at: morning}
	if d := l.digest([]doctor.DocumentLineage{short, late}); !d.Empty() {
		t.Errorf("%+v", d)
	}
	if d := l.digest([]doctor.DocumentLineage{late}, finding("D28", "late.example", doctor.WillFail)); len(d.Ending) != 1 || d.Ending[0].Why != "it fails" {
		t.Errorf("%+v", d)
	}
}

// Of a server that is silent nothing is mended; when it has been silent for a month, it is gone.
func TestNothingIsMendedThatNobodyLookedAt(t *testing.T) {
	l := &life{at: morning}
	fleet := func(servers ...string) *digest.Digest {
		looked, report := map[string]bool{}, doctor.Report{Servers: len(servers)}
		for _, server := range servers {
			looked[server] = true
			if server == "web1" {
				f := finding("D38", "a.example", doctor.Fails)
				f.Server = server
				report.Findings = append(report.Findings, f)
			}
		}
		if len(servers) < 2 {
			report.Unread = []doctor.Unread{{File: "web1.json", Sentence: "half a report"}}
		}
		d, after := digest.Make(digest.Input{Host: "central", At: l.at, Held: here(nil), Looked: looked, Report: report, Say: say}, l.state)
		l.state, l.at = after, l.at.AddDate(0, 0, 1)
		return d
	}
	if d := fleet("web1", "web2"); len(d.New) != 1 || d.New[0].Items[0].Server != "web1" {
		t.Errorf("%+v", d)
	}
	if d := fleet("web2"); len(d.Mended) != 0 || len(d.Silent) != 1 {
		t.Errorf("%+v", d)
	}
	if d := fleet("web2"); !d.Empty() {
		t.Errorf("%+v", d)
	}
	if d := fleet("web1", "web2"); !d.Empty() {
		t.Errorf("told again: %+v", d)
	}
	for range 40 {
		fleet("web2")
	}
	if len(l.state.Told) != 0 {
		t.Errorf("%+v", l.state.Told)
	}
}

// A check that could not be made, and a certificate that cannot be read, have nothing mended; one that
// is gone has.
func TestNothingIsMendedThatCouldNotBeLookedAt(t *testing.T) {
	a := []doctor.DocumentLineage{{Name: "a.example", Issued: morning, Expires: morning.AddDate(0, 0, 90)}}
	host := finding("D23", "", doctor.WillFail)
	l := &life{at: morning}
	l.digest(a, finding("D4", "a.example", doctor.WillFail), host)
	unseen := doctor.Finding{ID: "D23", Severity: doctor.Note, Unseen: true, Sentence: "this could not be looked at"}
	if d := l.digest(nil, finding("D1", "a.example", doctor.Fails), unseen); len(d.Mended) != 0 || len(d.New) != 1 || d.New[0].ID != "D1" {
		t.Errorf("%+v", d)
	}
	if d := l.digest(a, finding("D4", "a.example", doctor.WillFail), host); len(d.New) != 0 || len(d.Mended) != 1 || d.Mended[0].ID != "D1" {
		t.Errorf("%+v", d)
	}
	if d := l.digest(nil, host); len(d.Mended) != 1 || d.Mended[0].ID != "D4" {
		t.Errorf("%+v", d)
	}
}

// What was told of a certificate that is gone is not kept for as long as a check cannot be made.
func TestNothingIsKeptOfACertificateThatIsGone(t *testing.T) {
	a := []doctor.DocumentLineage{{Name: "a.example", Issued: morning, Expires: morning.AddDate(0, 0, 90)}}
	unseen := doctor.Finding{ID: "D21", Severity: doctor.Note, Unseen: true, Sentence: "this could not be looked at"}
	l := &life{at: morning}
	l.digest(a, finding("D21", "a.example", doctor.WillFail))
	if d := l.digest(a, unseen); len(d.Mended) != 0 {
		t.Errorf("%+v", d)
	}
	if d := l.digest(nil, unseen); len(d.Mended) != 1 || len(l.state.Told) != 1 {
		t.Errorf("%+v, %+v", d, l.state.Told)
	}
}

func TestAStateIsReadAsItWasKept(t *testing.T) {
	store := memory.New()
	l := &life{at: morning}
	l.digest(nil, finding("D38", "a.example", doctor.Fails))
	memo, err := l.state.Memo(digest.OfServer)
	if err == nil {
		err = store.Commit(t.Context(), &ledger.Change{Memos: []ledger.Memo{memo, {Key: digest.OfFleet, At: morning, Body: []byte("torn")}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if l.state, err = digest.Read(t.Context(), store, digest.OfServer); err != nil {
		t.Fatal(err)
	}
	if d := l.digest(nil, finding("D38", "a.example", doctor.Fails)); !d.Empty() || d.Since != morning {
		t.Errorf("%+v", d)
	}
	if torn, err := digest.Read(t.Context(), store, digest.OfFleet); err != nil || torn.Told != nil {
		t.Errorf("%+v, %v", torn, err)
	}
}

// What others wrote shows in a mail, and does nothing there.
func TestNothingThatOthersWroteDoesSomethingInAMail(t *testing.T) {
	const evil = "<script>alert(1)</script>\r\nBcc: x@example.com\x1b[2J\u202e<img src=http://evil.example/x>"
	l := &life{at: morning}
	f := finding("D38", evil, doctor.Fails)
	f.Sentence, f.Remedy, f.Cause, f.File = evil, failure.Advise("Type `%s`.", evil), evil, evil
	d := l.digest([]doctor.DocumentLineage{{Name: evil, Names: []string{evil}, Issued: morning.AddDate(0, 0, -89), Expires: morning.AddDate(0, 0, 1)}}, f)
	letter, err := d.Letter()
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"subject": letter.Subject, "text": letter.Text, "brief": letter.Brief, "html": letter.HTML} {
		if strings.ContainsAny(text, "\x1b\r\u202e") || strings.Contains(text, "\nBcc") {
			t.Errorf("%s: %q", what, text)
		}
	}
	for _, tag := range []string{"<script", "<img", "<link", "href=", "url(", "@import"} {
		if strings.Contains(letter.HTML, tag) {
			t.Errorf("%s in %s", tag, letter.HTML)
		}
	}
}

// Thousands of findings become a mail that is read, and a file that has them all.
func TestALongDigestIsCutAndWholeBeside(t *testing.T) {
	var all []doctor.Finding
	for i := range 332 {
		all = append(all, finding("D38", fmt.Sprintf("n%03d.example", i), doctor.Fails))
	}
	l := &life{at: morning}
	d := l.digest(nil, all...)
	letter, err := d.Letter()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(letter.Text, ".example: "); n != 20 || !strings.Contains(letter.Text, "  and 312 more\n") {
		t.Errorf("%d names in %s", n, letter.Text)
	}
	if strings.Count(letter.Whole, ".example: ") != 332 || !strings.Contains(letter.HTML, "and 312 more") || len(letter.Brief) > 3000 {
		t.Errorf("%d bytes, %d", len(letter.Whole), len(letter.Brief))
	}
	if short, err := l.digest(nil, all[:300]...).Letter(); err != nil || short.Whole == "" || !strings.Contains(short.Subject, "32 mended") {
		t.Errorf("%v, %s", err, short.Subject)
	}
}

// However much is wrong, and however long the texts are that others wrote, a letter has its bounds.
func TestALetterHasItsBounds(t *testing.T) {
	long := strings.Repeat("x", 400)
	var all []doctor.Finding
	for i := range 15_000 {
		f := finding("D38", fmt.Sprintf("n%05d.example", i), doctor.Fails)
		f.Cause, f.Sentence, f.Remedy = fmt.Sprint(i%2500), long, failure.Remedy(fmt.Sprint(i, long))
		all = append(all, f)
	}
	letter, err := (&life{at: morning}).digest(nil, all...).Letter()
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{"text": len(letter.Text), "file": len(letter.Whole), "HTML": len(letter.HTML),
		"document": len(letter.Document), "chat": len(letter.Brief)} {
		if n > 4<<20 || n == 0 {
			t.Errorf("%s: %d bytes", what, n)
		}
	}
	if !strings.Contains(letter.Whole, "which has no room here") || !strings.Contains(letter.Whole, "All that is open") {
		t.Error("the file says nothing of what it lacks")
	}
}

// A command in a remedy is pasted: it stands on one line, as it is.
func TestACommandIsNeverBroken(t *testing.T) {
	command := "orderly reconfigure --cert-name a.example --webroot -w /var/www/a/very/long/path/to/the/document/root/of/this/site"
	f := finding("D38", "a.example", doctor.Fails)
	f.Remedy = failure.Advise("The web server serves another directory than the renewal writes to, so type `%s`, and look at it again tomorrow.", command)
	text, _ := (&life{at: morning}).digest(nil, f).Text()
	if !strings.Contains(text, "`"+command+"`,") {
		t.Error(text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 78 && !strings.Contains(line, "`") {
			t.Errorf("%q", line)
		}
	}
}
