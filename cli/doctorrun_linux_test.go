package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What a repair runs says why it failed, and ends with the context.
func TestWhatARepairRunsIsBounded(t *testing.T) {
	if err := runQuietly(t.Context(), "true"); err != nil {
		t.Error(err)
	}
	err := runQuietly(t.Context(), "ls", "/no/such/file")
	if err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("%v", err)
	}
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended)
	if err := runQuietly(ctx, "sleep", "600"); !errors.Is(err, ended) {
		t.Errorf("%v", err)
	}
}
