package e2e_test

import "time"

// stillness is how long nothing may move before a program counts as hung. No test lets a program wait for half of that.
const stillness = 5 * time.Minute

// watchOver kills the program once nothing moves any more: no request, no word, no time spent by it or its children, none of
// them waiting for a processor. However slow the machine is, something moves.
func (c *child) watchOver() {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	last, since := "", time.Now()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		vital := vitals(c.cmd.Process.Pid)
		if now := vital.spent + " " + c.signs(); now != last || vital.runs {
			last, since = now, time.Now()
		}
		if time.Since(since) > stillness {
			c.mu.Lock()
			c.hung = true
			c.mu.Unlock()
			_ = c.cmd.Process.Kill() // it may just have ended
			return
		}
	}
}

// watchReaction adds up the time in which the program, sent a signal, waits by its own choice.
func (c *child) watchReaction() {
	const interval = 20 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		vital, now := vitals(c.cmd.Process.Pid), time.Now()
		if !vital.busy {
			c.mu.Lock()
			c.idle += min(interval, now.Sub(last)) // what passed while nobody looked proves nothing
			c.mu.Unlock()
		}
		last = now
	}
}

// vital is what can be seen of a program and its children from outside.
type vital struct {
	runs  bool   // one of its threads, or of its children's, runs or waits for a processor
	busy  bool   // that, or it waits for a disk itself
	spent string // processor time
}
