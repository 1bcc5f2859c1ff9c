package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
)

// What a killed command still has to do is in the export, as is everything else that the ledger keeps.
func TestTheExportHasUnfinishedTasks(t *testing.T) {
	config := t.TempDir()
	dir := filepath.Join(config, "orderly")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer locks.Close()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Host: "here", Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	run := &ledger.Run{Command: "revoke a.example", PID: 1, StartedAt: time.Now()}
	if err := store.Commit(t.Context(), &ledger.Change{Run: run}); err != nil {
		t.Fatal(err)
	}
	task := &ledger.Task{RunID: run.ID, Kind: ledger.RevokeTask, Subject: "a.example", Step: "intended", Payload: "{}", BegunAt: time.Now()}
	if err := store.Commit(t.Context(), &ledger.Change{Tasks: []*ledger.Task{task},
		Sightings: []ledger.Sighting{{Name: "seen.example"}}, Messages: []ledger.Message{{Channel: "mail"}},
		RenewalInfos: []ledger.RenewalInfo{{Server: "https://ca.example/directory", ID: "a.b", Explanation: "https://ca.example/why"}}}); err != nil {
		t.Fatal(err)
	}
	shown := show(t, []string{"ledger", "export", "--config-dir", config})
	for _, want := range []string{`"kind":"task"`, `"subject":"a.example"`, `"step":"intended"`, `"kind":"renewal_info"`, `"kind":"sighting","record":{"name":"seen.example"`, `"kind":"message","record":{"id":1,"channel":"mail"`, `"id":"a.b"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the export lacks %s: %s", want, shown)
		}
	}
}
