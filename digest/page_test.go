package digest_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"orderly/diagnose"
	"orderly/digest"
	"orderly/doctor"
	"orderly/failure"
	"orderly/history"
)

var update = flag.Bool("update", false, "write docs/digest.html anew")

// aMorning is a digest with something of everything.
func aMorning() *digest.Digest {
	told := digest.State{At: morning.AddDate(0, 0, -1), Told: map[string]digest.Told{
		"\x1fD1\x1fold.example.com\x1f\x1f": {ID: "D1", Lineage: "old.example.com", At: morning.AddDate(0, 0, -4)}}}
	one := func(id, lineage string, class failure.Class, severity doctor.Severity, days int, sentence string, remedy failure.Remedy) doctor.Finding {
		return doctor.Finding{ID: id, Class: class, Severity: severity, Lineage: lineage, Names: []string{lineage}, Cause: string(class),
			Since: morning.AddDate(0, 0, -9), HurtsAt: morning.AddDate(0, 0, days), Sentence: sentence, Remedy: remedy}
	}
	missing := diagnose.Known(failure.DNSMissing, "").Remedy
	root := failure.Advise("Name the document root that the web server serves with `orderly reconfigure --cert-name shop.example.org --webroot -w DIR`.")
	findings := []doctor.Finding{
		one("D28", "shop.example.org", failure.HTTPWrong, doctor.Fails, -2, "the last attempt failed: shop.example.org serves something else than the probe", root),
		one("D28", "blog.example.net", failure.DNSMissing, doctor.Fails, -1, "the last attempt failed: blog.example.net does not exist in DNS", missing),
		one("D28", "www.xn--mller-kva.example", failure.DNSMissing, doctor.Fails, -1, "the last attempt failed: www.xn--mller-kva.example has no address", missing),
		one("D4", "cafe.example.com", failure.WebrootUnset, doctor.WillFail, 12, "www.cafe.example.com has no document root; the other names use /var/www/cafe",
			failure.Advise("Let `orderly doctor --fix` write it down.")),
		one("D52", "intranet.example.com", "", doctor.Note, 40, "<b>intranet.example.com</b> is live on two servers & the newer certificate is web2's", "Delete the other."),
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		findings = append(findings, one("D14", name+".customers.example.org", failure.LineageBroken, doctor.WillFail, 20, "live/"+name+
			".customers.example.org/cert.pem leads nowhere", failure.Advise("Let `orderly doctor --fix` lead it to the newest whole version.")))
	}
	doctor.Arrange(findings)
	held := []doctor.DocumentLineage{{Name: "shop.example.org", Names: []string{"shop.example.org"}, Issued: morning.AddDate(0, 0, -84),
		Expires: morning.AddDate(0, 0, 6), Due: morning.AddDate(0, 0, -2)}}
	d, _ := digest.Make(digest.Input{Host: "web1.example.com", At: morning, Held: here(held), Say: say, All: "`orderly doctor`",
		Report: doctor.Report{Findings: findings, Lineages: 412, Clean: 384},
		Failures: []history.ClassGroup{
			{Class: failure.DNSMissing, Failures: 4, Lineages: []string{"blog.example.net", "www.xn--mller-kva.example"}, Last: morning.Add(-time.Hour)},
			{Class: failure.HTTPWrong, Failures: 2, Lineages: []string{"shop.example.org"}, Last: morning.Add(-time.Hour)}}}, told)
	return d
}

// The page in the docs is what a mail is: whoever changes one sees it in the other, and takes a new
// picture with `make digest-picture`.
func TestThePageInTheDocs(t *testing.T) {
	const path = "../docs/digest.html"
	page := aMorning().HTML()
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(path)
	if err != nil || string(kept) != page {
		t.Errorf("docs/digest.html is not what a digest is (%v): run `make digest-picture`", err)
	}
}
