package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// journal is what `go test -json` writes of five cells: a good one, a bad one, one that hung, one whose process died in it,
// and one that never had its turn.
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
{"Action":"run","Test":"TestAKillAtAnyTime/0_a_plain_CA_6ms"}
{"Action":"attr","Test":"TestAKillAtAnyTime/0_a_plain_CA_6ms","Key":"hung","Value":"certonly"}
{"Action":"fail","Test":"TestAKillAtAnyTime/0_a_plain_CA_6ms","Elapsed":700}
{"Action":"run","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500","Key":"request","Value":"finalize"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500","Key":"nth","Value":"1"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500","Key":"names","Value":"2"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500","Key":"fault","Value":"500"}
{"Action":"attr","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500","Key":"between","Value":"nothing"}
{"Action":"pause","Test":"TestTheFaultMatrix/a_plain_CA,_2_names,_finalize_1,_500"}
`

func TestACellIsGoodOnlyIfItEndedWell(t *testing.T) {
	var told []count
	cells, err := collect(strings.NewReader(journal), io.Discard, func(so count) { told = append(told, so) })
	if err != nil || len(cells) != 5 || len(told) != 3 {
		t.Fatalf("%d cells, told %d times, %v", len(cells), len(told), err)
	}
	for in, want := range map[state]int{good: 1, bad: 1, hung: 1, notRun: 2} {
		if n := counted(cells, in); n != want {
			t.Errorf("%d cells are %s, not %d", n, in, want)
		}
	}
	if n := troubled(cells); n != 4 {
		t.Errorf("%d cells are in trouble, not 4", n)
	}
	if so := told[2]; so.known != 4 || so.ended != 3 || so.of[bad] != 1 || so.of[hung] != 1 {
		t.Errorf("so far %+v", so)
	}
	if c := cells[0]; !c.Good || c.Request != "order" || c.Nth != 1 || c.Names != 2 || c.CA != "a plain CA" || c.Seconds != 0.25 {
		t.Errorf("the first: %+v", c)
	}
	want := []string{"TestTheFaultMatrixOfOddCAs", "TestAKillAroundEveryEffect", "TestALostNewOrderIsFoundInTheSameRun", "TestAnOrderTheCABrokeIsReplaced",
		"TestAKilledRenewalLeavesAGoodPair", "TestKilledUntilItIsDone"}
	if left := missing(cells); !slices.Equal(left, want) {
		t.Errorf("no cells are missed but of %v", left)
	}
}

func TestWhatKeepsCellsFromRunningIsTold(t *testing.T) {
	var complaints strings.Builder
	cells, err := collect(strings.NewReader(`{"Action":"build-output","Output":"e2e/x_test.go:1: undefined: y\n"}
{"Action":"output","Test":"TestAKillAroundEveryEffect","Output":"=== RUN   TestAKillAroundEveryEffect\n"}
{"Action":"output","Test":"TestAKillAroundEveryEffect","Output":"    no kill before the token\n"}
`), &complaints, func(count) {})
	if err != nil || len(cells) != 0 || complaints.String() != "e2e/x_test.go:1: undefined: y\n    no kill before the token\n" {
		t.Errorf("%d cells, %v, %q", len(cells), err, complaints.String())
	}
}

func TestTheTableNamesWhatIsBad(t *testing.T) {
	cells, err := collect(strings.NewReader(journal), io.Discard, func(count) {})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n := report(&out, cells, false, 90*time.Second); n != 4 {
		t.Errorf("%d in trouble", n)
	}
	for _, want := range []string{"\nchallenge 2 X\norder 1     .\nfinalize 1  ?\n", "- no such cell. The CAs", "\nHUNG TestAKillAtAnyTime: 0 a plain CA 6ms\n", "BAD TestTheFaultMatrix: a plain CA, 2 names, challenge 2, 500\n    two certificates\n",
		"5 cells (3 of requests, 0 of local effects, 2 others), 1 bad, 1 hung, 2 not run, 1m30s\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, out.String())
		}
	}
}
