package doctor_test

import (
	"os"
	"strings"
	"testing"

	"orderly/doctor"
	"orderly/failure"
)

// What is to be typed about a certificate names it, whoever found what is wrong.
func TestARemedyNamesItsCertificate(t *testing.T) {
	p := newPlace(t)
	gone := p.at("a.example")
	if err := gone.Healthy(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(gone.Root); err != nil {
		t.Fatal(err)
	}
	_, all := of(p.examine(), "a.example")
	named := 0
	for _, f := range all {
		if strings.Contains(string(f.Remedy), string(failure.Do(failure.NameRoot))) {
			t.Errorf("%s: %q", f.ID, f.Remedy)
		}
		if strings.Contains(string(f.Remedy), string(failure.Do(failure.NameRoot, "a.example"))) && f.Severity != doctor.Note {
			named++
		}
	}
	if named == 0 {
		t.Errorf("%+v", all)
	}
}
