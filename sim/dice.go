package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// fault is a kind of thing that goes wrong.
type fault int

const (
	kill         fault = iota // the process dies at once, as by SIGKILL
	term                      // the process gets SIGTERM
	ledgerBroken              // a commit fails and writes nothing
	unsent                    // the CA cannot be connected to
	dropped                   // a request is lost on its way
	lostAnswer                // the CA does it, and the answer is lost
	broken                    // 500, and nothing was done
	brokenLate                // 500 although it was done
	busy                      // 503 with Retry-After
	badNonce                  // the nonce is refused
	slow                      // an answer takes many seconds
	garbled                   // a success with a body that is none
	spoiled                   // the CA breaks while it issues
	amnesia                   // an order that is there is not shown, as by a replica that lags behind
	lie                       // a network check says the opposite of what is true
	placing                   // a token cannot be written though the document root is there
	keyLoss                   // the private key of an open order is lost
	jump                      // a host's clock jumps
	reboot                    // everything that runs on a server dies
	outage                    // the CA is away for hours
	blindness                 // the CA's validation fails for hours
	vanish                    // a document root vanishes, and comes back
	death                     // a name stops resolving, and comes back
	stray                     // a name serves something else for a while
	change                    // a customer wants one name more or less
	deletion                  // a customer deletes a lineage
	surrender                 // an operator releases an open order
	faults
)

var faultNames = [faults]string{"kill", "term", "ledger", "unsent", "dropped", "lost-answer", "500", "500-done", "503",
	"bad-nonce", "slow", "garbled", "spoiled", "amnesia", "lie", "placing", "key-loss", "clock-jump", "reboot", "outage", "blindness",
	"vanish", "death", "stray", "change", "deletion", "surrender"}

// Kinds names every kind of fault.
func Kinds() []string { return faultNames[:] }

// usual are the rates per ten thousand chances in an average year; those of things that happen to the world are per day
// and server or lineage.
var usual = [faults]int{40, 12, 8, 20, 20, 30, 15, 15, 25, 60, 10, 10, 40, 6, 150, 60, 800, 60, 60, 120, 25, 18, 12, 12, 18, 3, 20}

// temper makes each year worse in some ways and better in others, so that some faults are met without all the others.
func (w *world) temper() {
	for f := range faults {
		w.rates[f] = usual[f] * []int{0, 1, 1, 1, 4}[w.dice.IntN(5)]
	}
}

// dice are one stream of chance. Each lineage and server has its own, so that leaving one out changes little for the rest.
type dice struct {
	*rand.Rand
	w    *world
	name string
	rung [faults]int // faults that fired
}

func (w *world) newDice(name string) *dice {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return &dice{Rand: rand.New(rand.NewPCG(w.o.Seed, h.Sum64())), w: w, name: name}
}

// strikes reports whether a fault happens at this chance for it. It throws the dice whether or not it may.
func (d *dice) strikes(f fault) bool {
	hit := d.IntN(10000) < d.w.rates[f]
	if !hit || d.w.quiet || d.w.o.Without[faultNames[f]] {
		return false
	}
	d.rung[f]++
	if d.w.o.Record || len(d.w.o.Spared) > 0 {
		name := fmt.Sprintf("%s:%s:%d", d.name, faultNames[f], d.rung[f])
		if d.w.o.Spared[name] {
			return false
		}
		d.w.result.Fired = append(d.w.result.Fired, name)
	}
	d.w.result.Faults[faultNames[f]]++
	d.w.log("fault", d.name, faultNames[f])
	return true
}

// between is a duration from a to b, whole milliseconds.
func (d *dice) between(a, b time.Duration) time.Duration {
	return a + time.Duration(d.Int64N(int64((b-a)/time.Millisecond)+1))*time.Millisecond
}

// one reports whether something of which it is so in one of n cases is so.
func (d *dice) one(n int) bool { return d.IntN(n) == 0 }
