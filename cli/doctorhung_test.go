package cli_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	hosts "orderly/host"
	"orderly/ledger"
	"orderly/testca"
)

// A hook that was at work for long when its run was told to end is told by the doctor, with its name
// and since when; once it has ended by itself, it is not.
func TestAHookThatHungIsToldByTheDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com")
	gate := filepath.Join(w.dir, "gate")
	command := "while ! [ -e " + gate + " ]; do sleep 0.02; done"
	body, err := json.Marshal([]hosts.HungHook{{Hook: "deploy-hook", Command: command, Lineages: []string{"a.example.com"},
		Since: time.Now().Add(-time.Hour), At: time.Now(), Times: 2, Run: 1}})
	if err != nil {
		t.Fatal(err)
	}
	h.commit(&ledger.Change{Memos: []ledger.Memo{{Key: "hung-hooks", At: time.Now(), Body: body}}})
	told := func() (all []doctor.DocumentFinding) {
		t.Helper()
		r := h.orderly("doctor", "--json")
		for _, f := range decode[doctor.Document](w, r.stdout).Findings {
			if f.ID == "D24" {
				all = append(all, f)
			}
		}
		return all
	}
	all := told()
	if len(all) != 1 || all[0].Lineage != "a.example.com" || all[0].Severity != doctor.Note || all[0].Since == nil ||
		!strings.Contains(all[0].Sentence, "the deploy-hook while ! [") || !strings.Contains(all[0].Sentence, "its run was ended or killed") {
		t.Fatalf("%+v", all)
	}
	w.write(gate, "")
	h.must("renew", "--force-renewal", "--deploy-hook", command)
	if all := told(); len(all) > 0 {
		t.Errorf("it has ended: %+v", all)
	}
}
