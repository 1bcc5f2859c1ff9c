package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// A run that uses little is spared collections; one that uses much is not to use three times that.
func TestGarbageIsLeftOnlyWhileLittleIsUsed(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	collectLater()
	if got := percent(); got != garbage {
		t.Fatalf("at the start %d percent of garbage are left, not %d", got, garbage)
	}
	much := make([]byte, 2*littleMB<<20)
	for deadline := time.Now().Add(time.Minute); percent() != usual; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d percent are left where %d MB are used", percent(), 2*littleMB)
		}
	}
	runtime.KeepAlive(much)
	t.Setenv("GOGC", "300")
	debug.SetGCPercent(300)
	if collectLater(); percent() != 300 {
		t.Errorf("what a person said is %d", percent())
	}
}
