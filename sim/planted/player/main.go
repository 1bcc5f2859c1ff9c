// Command player plays the years of the seeds it is given and prints what came of each as a line of JSON; it stops at the
// first one in which an invariant is breached. Built as it stands it plays the code as it stands; package planted builds it
// with bugs in the code.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"orderly/sim"
)

// year is what is printed: Invariant is "" when nothing was breached.
type year struct {
	Seed      uint64
	Invariant string
	Sentence  string
}

func main() {
	debug.SetGCPercent(400) // a year allocates much and keeps little
	lines := json.NewEncoder(os.Stdout)
	for _, word := range os.Args[1:] {
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		y := play(seed)
		if err := lines.Encode(y); err != nil {
			os.Exit(1)
		}
		if y.Invariant != "" {
			return
		}
	}
}

func play(seed uint64) year {
	r := sim.Run(sim.Options{Seed: seed})
	y := year{Seed: seed}
	if r.Failure != nil {
		y.Invariant, y.Sentence = r.Failure.Invariant, r.Failure.Error()
	}
	return y
}
