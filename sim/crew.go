package sim

import (
	"slices"
	"time"
)

// A run of many works on several certificates at once, as package renewal does: those that share a name take turns, where the
// dice do not let them meet as those of two processes do. Which goes on when time passes is the dice's choice; one runs.

// mostJobs is how many certificates a run may work on at once.
const mostJobs = 16

// piece is what a run does for one certificate.
type piece struct {
	l     *lineage
	names []string
	do    func(*worker) (goOn bool)
}

// crew is what a worker of a process leaves to others.
type crew struct {
	chains [][]piece // that nobody has begun
	ended  bool      // the run ends: nothing more is begun
	left   int       // workers
}

// together does pieces, in order, so many at once as the dice have it. It ends when all of them have.
func (p *worker) together(all []piece) {
	jobs := 1
	if p.s.dice.one(2) {
		jobs += p.s.dice.IntN(mostJobs)
	}
	c, met := &crew{}, p.s.dice.one(4)
	for _, one := range all {
		c.add(one, met)
	}
	if jobs = min(jobs, len(c.chains)); jobs <= 1 {
		p.chains(c)
		return
	}
	p.w.result.AtOnce += len(all)
	for range jobs {
		c.left++
		q := p.hire(func(q *worker) {
			q.chains(c)
			if c.left--; c.left == 0 {
				p.w.after(0, func() { p.wake(p.turn) })
			}
		})
		p.w.after(p.s.dice.between(0, time.Millisecond), func() { q.wake(0) })
	}
	p.suspend()
}

// add lets a piece come after all those that share a name with it, unless they may meet.
func (c *crew) add(one piece, met bool) {
	var chain []piece
	c.chains = slices.DeleteFunc(c.chains, func(former []piece) bool {
		if met || !meets(former, one) {
			return false
		}
		chain = append(chain, former...)
		return true
	})
	c.chains = append(c.chains, append(chain, one))
}

// meets reports whether a piece is about a name of others.
func meets(chain []piece, one piece) bool {
	return slices.ContainsFunc(chain, func(c piece) bool { return share(c.names, one.names) })
}

// chains does what nobody has begun, until there is nothing or the run ends.
func (p *worker) chains(c *crew) {
	for len(c.chains) > 0 {
		chain := c.chains[0]
		c.chains = c.chains[1:]
		for _, one := range chain {
			if c.ended {
				return
			}
			p.l = one.l
			c.ended = !one.do(p) || c.ended
		}
	}
}
