package webroot

import (
	"os"
	"path/filepath"
	"testing"
)

// What a check of a document root costs is mostly how often a helper is asked.

func TestACheckOfADocumentRootIsThreeQuestions(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var w Writer
	defer w.Close()
	check := func() bool {
		t.Helper()
		before := w.pool.uses
		identity, draft, err := w.Survey(t.Context(), root)
		if err != nil || identity.Path != root || identity.Inode == 0 {
			t.Fatalf("%+v, %v", identity, err)
		}
		probe, err := draft.Write(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(probe.Path())
		if err != nil || string(text) != probe.Content {
			t.Errorf("the probe holds %q, %v", text, err)
		}
		if err := w.Remove(t.Context(), probe.Placement); err != nil {
			t.Error(err)
		}
		if asked := w.pool.uses - before; asked != 3 {
			t.Errorf("a helper was asked %d times", asked)
		}
		return probe.IsAlone()
	}
	if !check() {
		t.Error("a directory that was made for a probe may hold others' files")
	}
	if err := os.MkdirAll(filepath.Join(root, challenge), 0o755); err != nil {
		t.Fatal(err)
	}
	if check() {
		t.Error("a directory that was there holds nothing but the probe")
	}
}
