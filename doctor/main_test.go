package doctor_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/doctor"
	"orderly/solver/webroot"
)

func TestMain(m *testing.M) {
	if code, ours := webroot.Helper(os.Args); ours {
		os.Exit(code)
	}
	if config := os.Getenv(examineVariable); config != "" {
		os.Exit(examineAs(config))
	}
	os.Exit(m.Run())
}

// examineVariable makes the test binary examine a configuration directory as whoever executes it.
const examineVariable = "ORDERLY_TEST_EXAMINE"

func examineAs(config string) int {
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: config, Work: config + "-lib", Logs: config + "-log"}}
	r, err := doctor.Examine(context.Background(), doctor.Host{Disk: disk, Now: time.Now,
		Tell: func(string, ...any) {}}, doctor.Wanted{})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	for _, f := range r.Findings {
		fmt.Println(f.ID, f.Severity, f.Lineage, f.Sentence)
	}
	return 0
}
