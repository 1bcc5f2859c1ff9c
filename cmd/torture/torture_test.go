package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

// journal is what `go test -json` writes of three cells: a good one, a bad one, and one whose process died.
const journal = `{"Action":"run","Test":"TestTheFaultMatrix"}
{"Action":"run","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500"}
{"Action":"run","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Key":"request","Value":"order"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Key":"nth","Value":"1"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Key":"names","Value":"2"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Key":"fault","Value":"500"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Key":"between","Value":"nothing"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Key":"request","Value":"challenge"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Key":"nth","Value":"2"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Key":"names","Value":"2"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Key":"fault","Value":"500"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Key":"between","Value":"nothing"}
{"Action":"output","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Output":"    two certificates\n"}
{"Action":"fail","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_challenge_2,_500","Elapsed":1.5}
{"Action":"pass","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_order_1,_500","Elapsed":0.25}
{"Action":"run","Test":"TestAKillAtAnyTime/0_a_plain_CA_3ms"}
`

func TestACellThatDidNotEndIsBad(t *testing.T) {
	told := 0
	cells, err := collect(strings.NewReader(journal), io.Discard, func([]cell) { told++ })
	if err != nil || len(cells) != 3 || told != 2 {
		t.Fatalf("%d cells, told %d times, %v", len(cells), told, err)
	}
	if bad := countBad(cells); bad != 2 {
		t.Errorf("%d cells are bad, not 2", bad)
	}
	if c := cells[0]; !c.Good || c.Request != "order" || c.Nth != 1 || c.Names != 2 || c.CA != "a plain CA" || c.Seconds != 0.25 {
		t.Errorf("the first: %+v", c)
	}
}

func TestWhatKeepsCellsFromRunningIsTold(t *testing.T) {
	var complaints strings.Builder
	cells, err := collect(strings.NewReader(`{"Action":"build-output","Output":"e2e/x_test.go:1: undefined: y\n"}
{"Action":"output","Test":"TestAKillAroundEveryEffect","Output":"=== RUN   TestAKillAroundEveryEffect\n"}
{"Action":"output","Test":"TestAKillAroundEveryEffect","Output":"    no kill before the token\n"}
`), &complaints, func([]cell) {})
	if err != nil || len(cells) != 0 || complaints.String() != "e2e/x_test.go:1: undefined: y\n    no kill before the token\n" {
		t.Errorf("%d cells, %v, %q", len(cells), err, complaints.String())
	}
}

func TestTheTableNamesWhatIsBad(t *testing.T) {
	cells, err := collect(strings.NewReader(journal), io.Discard, func([]cell) {})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if bad := report(&out, cells, 90*time.Second); bad != 2 {
		t.Errorf("%d bad", bad)
	}
	for _, want := range []string{"\nchallenge 2 X\norder 1     .\n", "BAD TestTheFaultMatrix: a plain CA, 2 names, challenge 2, 500\n    two certificates\n",
		"3 cells (2 of requests, 0 of local effects, 1 others), 2 bad, 1m30s\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
}
