package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/failure"
	"orderly/ledger"
)

// What doctor --fix puts aside goes through the server's task, in a run of its own that is recorded
// to its end, and only where that is certain at the last moment.
func TestTheDoctorPutsAsideAsRetireDoes(t *testing.T) {
	dirs := certbot.Dirs{Config: filepath.Join(t.TempDir(), "etc"), Work: t.TempDir(), Logs: t.TempDir()}
	disk := &certbot.Store{Dirs: dirs}
	for _, name := range []string{"a.example", "b.example"} {
		d := damage.Dir{Config: dirs.Config, Name: name, Root: t.TempDir(), Account: "0123456789abcdef0123456789abcdef",
			Server: "https://ca.example/directory", Left: 60 * 24 * time.Hour}
		if err := d.Healthy(); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	env := Env{Program: "orderly", Stdout: &out, Stderr: &errs, PID: os.Getpid(), ending: t.Context(), Getenv: func(string) string { return "" }}
	p, _ := newPrinter(&env)
	f := &doctoring{places: places{dirs: dirs}, yes: true}
	f.network.port = 80
	s, err := f.begin(env, p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	report, err := f.examine(t.Context(), s, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &fixing{f: f, s: s, p: p, mender: report.Mender()}
	release, err := w.alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	doubt := func() error { return failure.New(failure.Config, "", "it is in use") }
	if err := w.putAside(t.Context(), "b.example", doubt); err == nil {
		t.Error("what is in use was put aside")
	}
	if err := w.putAside(t.Context(), "a.example", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := w.aside.close(nil); err != nil {
		t.Error(err)
	}
	away, ok := disk.RetiredAs("a.example")
	names, err := disk.Names()
	if !ok || err != nil || len(names) != 1 || len(away.Names) != 1 {
		t.Errorf("%+v, %q, %v", away, names, err)
	}
	tasks, err := s.ledger.Tasks(t.Context())
	if err != nil || len(tasks) != 0 {
		t.Errorf("left: %+v, %v", tasks, err)
	}
	runs, err := s.ledger.Runs(t.Context(), 9)
	ended := func(r ledger.Run) bool {
		return r.Command == "doctor --fix" && r.Outcome == "done" && !r.EndedAt.IsZero()
	}
	if err != nil || len(runs) != 2 || !ended(runs[0]) {
		t.Errorf("%+v, %v", runs, err)
	}
}
