package e2e_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"orderly/testca"
)

// What depends on the machine's speed must not show in a sequence, and what does not must.
func TestASequenceTellsWhatWasDoneAndNotHowFast(t *testing.T) {
	truth := testca.Truth{Orders: []testca.TruthOrder{{URL: "https://ca/my-order/7"}}}
	request := func(kind, name, path string, status, mark int, fault testca.Action) testca.Request {
		return testca.Request{Kind: kind, Name: name, Path: path, Status: status, Mark: mark, Fault: fault}
	}
	slow := []testca.Request{request("new-order", "", "/order-plz", 201, 2, ""),
		request("authorization", "b", "", 200, 3, ""), request("authorization", "a", "", 500, 3, testca.Respond),
		request("new-nonce", "", "", 204, 3, ""), request("authorization", "a", "", 200, 3, ""),
		request("order", "", "/my-order/7", 200, 3, ""), request("order", "", "/my-order/7", 200, 3, ""),
		request("finalize", "", "/finalize-order/7", 200, 4, "")}
	quick := []testca.Request{slow[0], request("authorization", "b", "", 500, 3, testca.Respond), request("authorization", "a", "", 200, 3, ""),
		request("authorization", "b", "", 200, 3, ""), slow[5], slow[7]}
	want := []string{"run certonly", "  commits: 1", "  new-order -> 201", "  commits: 1", "  authorization of 1 names -> 200",
		"  authorization of the name struck -> 200", "  authorization of the name struck -> 500 (respond)", "  order of order 1 -> 200",
		"  commits: 1", "  finalize of order 1 -> 200"}
	for _, requests := range [][]testca.Request{slow, quick} {
		truth.Requests = requests
		r := &recorder{runs: []begun{{"certonly", 0, 1}, {"pending", len(requests), 0}}}
		if got := r.steps(truth); !slices.Equal(got, want) {
			t.Errorf("the sequence is %q, not %q", got, want)
		}
	}
}

func TestTransactionsAreCountedInTheLog(t *testing.T) {
	const page = 512
	log := make([]byte, 32)
	binary.BigEndian.PutUint32(log[8:], page)
	frame := func(salt byte, size uint32) {
		header := make([]byte, 24+page)
		binary.BigEndian.PutUint32(header[4:], size)
		header[8] = salt
		log = append(log, header...)
	}
	log[16] = 9
	for _, size := range []uint32{0, 4, 5, 0} {
		frame(9, size)
	}
	frame(8, 6) // left by another log
	if n := transactions(log); n != 2 {
		t.Errorf("%d transactions, not 2", n)
	}
	if n := transactions(log[:32+24+page+24]); n != 0 {
		t.Errorf("%d transactions in half a frame", n)
	}
	if transactions(nil) != 0 {
		t.Error("an empty log has transactions")
	}
}
