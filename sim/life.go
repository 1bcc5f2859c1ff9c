package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"orderly/ledger"
	"orderly/ledger/memory"
)

const day = 24 * time.Hour

// build makes the world of a seed.
func (w *world) build() {
	w.dice = w.newDice("world")
	w.temper()
	w.ca = w.newAuthority()
	w.end = int64(time.Duration(w.o.Days+quietDays) * day / time.Microsecond)
	w.shared = w.dice.one(3)
	w.moves = w.dice.one(2)
	for i := range 1 + w.dice.IntN(3) {
		account := 1
		if !w.shared {
			account = i + 1
		}
		w.servers = append(w.servers, w.newServer(i, account))
	}
	for i := range w.o.Lineages {
		if len(w.o.Only) == 0 || slices.Contains(w.o.Only, i) {
			w.birth(i)
		}
	}
	for d := range w.o.Days + quietDays - 1 { // on the last day the last runs come to their end
		w.after(time.Duration(d)*day, w.today)
	}
	w.after(time.Duration(w.o.Days)*day, w.calm)
}

func (w *world) newServer(i, account int) *server {
	s := &server{w: w, name: "s" + strconv.Itoa(i), dice: w.newDice("s" + strconv.Itoa(i)), book: memory.New(), account: account,
		keys: &keyRing{files: map[string][]byte{}, of: map[int64][]string{}}, locks: newLocks(), marks: map[string]int64{},
		deploys: map[int64]int{}, lost: map[int64]bool{}, installs: map[int64]bool{}, letThrough: map[string]time.Time{}}
	s.row = ledger.Account{Server: directoryURL, KeyID: "a", URL: origin + "/account/" + strconv.Itoa(account), CreatedAt: start}
	must(0, s.book.Commit(background, &ledger.Change{Account: &s.row}))
	for range 3 {
		s.moves = append(s.moves, s.dice.between(time.Hour, 15*day))
		if w.moves {
			w.after(s.moves[len(s.moves)-1]+time.Second, s.renew)
		}
	}
	return s
}

// birth plans a lineage. Some share names with the one before, on the same host or on another.
func (w *world) birth(i int) {
	name := "l" + strconv.Itoa(i)
	l := &lineage{name: name, number: i, s: w.servers[i%len(w.servers)], dice: w.newDice(name)}
	own := "n" + strconv.Itoa(i) + ".example"
	l.names = [][]string{{own}, {own}, {own, "www." + own}, {own, "shop." + own, "www." + own}}[l.dice.IntN(4)]
	alike, elsewhere := 8, 4
	if w.shared && len(w.servers) > 1 { // where two hosts may be handed one order
		alike, elsewhere = 3, 2
	}
	if twin := w.lineage("l" + strconv.Itoa(i-1)); twin != nil && l.dice.one(alike) {
		if l.s = twin.s; l.dice.one(elsewhere) {
			l.s = w.servers[l.dice.IntN(len(w.servers))]
		}
		l.names = append(l.names, twin.names[0])
		if l.dice.one(2) {
			l.names = slices.Clone(twin.names)
		}
	}
	l.names = ledger.CanonicalNames(l.names)
	for _, name := range l.names {
		w.site(name)
	}
	w.lineages = append(w.lineages, l)
	l.s.lines = append(l.s.lines, l)
	begin, moves := l.dice.between(time.Hour, 15*day), l.s.moves
	if w.moves {
		begin = moves[l.dice.IntN(len(moves))]
	}
	w.after(begin, func() {
		l.born = w.time()
		if l.trouble.Before(l.born) {
			l.trouble = l.born
		}
		if !w.moves {
			w.certonly(l)
		}
	})
}

func (w *world) site(name string) *site {
	if w.sites[name] == nil {
		w.sites[name] = &site{name: name, dice: w.newDice(name), tokens: map[string]string{}}
	}
	return w.sites[name]
}

// today plans a day: what goes wrong and when, and the runs.
func (w *world) today() {
	w.watch()
	if w.dice.strikes(outage) {
		w.after(w.dice.between(0, day), w.outage)
	}
	if w.dice.strikes(blindness) {
		w.after(w.dice.between(0, day), w.blindness)
	}
	for _, s := range w.servers {
		s.today()
	}
	for _, l := range w.lineages {
		if !l.born.IsZero() && !l.deleted {
			l.today()
		}
	}
}

// today plans a server's day: two runs of renew, now and then one more or a resume.
func (s *server) today() {
	w, d := s.w, s.dice
	for _, begin := range []time.Duration{d.between(0, 10*time.Hour), d.between(12*time.Hour, 22*time.Hour)} {
		w.after(begin, s.renew)
		if d.one(15) {
			w.after(begin+d.between(0, time.Minute), s.renew)
		}
	}
	if d.one(6) || w.quiet {
		w.after(d.between(0, 23*time.Hour), s.resume)
	}
	if d.strikes(jump) {
		w.after(d.between(0, day), s.jump)
	}
	if d.strikes(reboot) {
		w.after(d.between(0, day), s.reboot)
	}
}

// today plans what happens to a lineage and its names.
func (l *lineage) today() {
	w, d := l.s.w, l.dice
	s := w.sites[l.names[d.IntN(len(l.names))]]
	for _, one := range []struct {
		f    fault
		flag *bool
	}{{vanish, &s.gone}, {death, &s.dead}, {stray, &s.strayed}} {
		if d.strikes(one.f) {
			w.after(d.between(0, day), func() { w.breakSite(d, s, one.f, one.flag) })
		}
	}
	if d.strikes(change) {
		w.after(d.between(0, day), l.change)
	}
	if d.strikes(deletion) {
		w.after(d.between(0, day), func() { l.deleted = true; w.log("world", l.name, "is deleted") })
	}
	if d.strikes(surrender) {
		w.after(d.between(0, day), l.surrender)
	}
}

func (w *world) breakSite(d *dice, s *site, f fault, flag *bool) {
	if w.quiet {
		return
	}
	w.log("world", s.name, faultNames[f])
	*flag = true
	if f == vanish {
		clear(s.tokens)
	}
	lasts := d.between(time.Hour, 3*day)
	if d.one(4) {
		lasts = d.between(3*day, 40*day)
	}
	w.after(lasts, func() { w.mend(s, flag) })
}

func (w *world) mend(s *site, flag *bool) {
	if *flag {
		w.log("world", s.name, "is mended")
		*flag = false
	}
	w.troubled(func(l *lineage) bool { return slices.Contains(l.names, s.name) })
}

// troubled notes that until now some lineages could not be expected to get on.
func (w *world) troubled(which func(*lineage) bool) {
	for _, l := range w.lineages {
		if which(l) && l.trouble.Before(w.time()) {
			l.trouble, l.attempts = w.time(), 0
		}
	}
}

func everyone(*lineage) bool { return true }

func (w *world) outage() {
	if w.quiet {
		return
	}
	w.ca.drops = w.dice.one(2)
	lasts := w.dice.between(10*time.Minute, 12*time.Hour)
	w.ca.away = w.time().Add(lasts)
	w.log("world", "", "the CA is away for", lasts.String())
	w.after(lasts, func() { w.troubled(everyone) })
}

func (w *world) blindness() {
	if w.quiet {
		return
	}
	lasts := w.dice.between(10*time.Minute, 4*time.Hour)
	w.ca.blind = w.time().Add(lasts)
	w.log("world", "", "the CA validates nothing for", lasts.String())
	w.after(lasts, func() { w.troubled(everyone) })
}

// jump sets a host's clock wrong, for a while.
func (s *server) jump() {
	w := s.w
	if w.quiet {
		return
	}
	by := s.dice.between(time.Second, 6*time.Hour)
	if s.dice.one(4) {
		by = s.dice.between(6*time.Hour, 20*day)
	}
	if s.dice.one(2) {
		by = -by
	}
	s.setClock(by)
	w.after(s.dice.between(time.Minute, 2*day), func() { s.setClock(0) })
}

func (s *server) setClock(offset time.Duration) {
	if s.offset == offset {
		return
	}
	s.offset, s.jumpedAt = offset, s.w.time()
	s.w.log("world", s.name, "the clock is off by", offset.String())
	s.w.troubled(func(l *lineage) bool { return l.s == s })
}

func (s *server) reboot() {
	if s.w.quiet {
		return
	}
	s.w.log("world", s.name, "reboots")
	for _, p := range slices.Clone(s.w.order) {
		if p.s == s && p.lives() {
			p.crash()
		}
	}
	s.w.after(s.dice.between(time.Minute, time.Hour), s.renew)
}

// change is a customer who wants one name more, or one less.
func (l *lineage) change() {
	w := l.s.w
	if l.deleted || w.quiet {
		return
	}
	if len(l.names) > 1 && l.dice.one(2) {
		at := l.dice.IntN(len(l.names))
		l.names = slices.Delete(slices.Clone(l.names), at, at+1)
	} else {
		l.changes++
		name := fmt.Sprintf("x%d.n%d.example", l.changes%4, l.number)
		w.site(name)
		l.names = ledger.CanonicalNames(append(slices.Clone(l.names), name))
	}
	l.trouble, l.attempts = w.time(), 0
	w.log("world", l.name, "is to have", ledger.NameKey(l.names))
	w.certonly(l)
}

// certonly is the run of a script for one lineage; it tries again later if it dies.
func (w *world) certonly(l *lineage) {
	w.spawn(l.s, "certonly", func(p *worker) {
		p.l = l
		p.forced = l.dice.one(40)
		defer p.again(func() {
			if !l.deleted {
				w.certonly(l)
			}
		})
		e, err := p.engine("certonly")
		if err == nil {
			p.obtain(e, l)
		}
	})
}

// again runs a command once more some time after a process that was killed: the script's own retry.
func (p *worker) again(run func()) {
	if p.dead && p.dice().one(2) {
		p.w.after(p.dice().between(time.Second, 2*time.Hour), run)
	}
}

// renew is the run over all lineages of a server. One for which nothing is to be done costs nothing.
func (s *server) renew() {
	work := func(l *lineage) bool { return !l.born.IsZero() && !l.deleted && (l.due() || l.unfinished()) }
	if !slices.ContainsFunc(s.lines, work) {
		return
	}
	s.w.spawn(s, "renew", func(p *worker) {
		defer p.again(s.renew)
		e, err := p.engine("renew")
		if err != nil {
			return
		}
		var all []piece
		for _, l := range s.lines {
			if work(l) {
				all = append(all, piece{l, l.names, func(p *worker) bool { return !work(l) || p.obtain(e, l) }})
			}
		}
		p.together(all)
	})
}

// resume goes on with everything that earlier processes left.
func (s *server) resume() {
	left := must(s.book.Orders(background, ledger.OrderFilter{Unsettled: true}))
	if len(left) == 0 {
		return
	}
	s.w.spawn(s, "resume", func(p *worker) {
		e, err := p.engine("resume")
		if err != nil {
			return
		}
		var all []piece
		for _, o := range left {
			all = append(all, piece{s.w.lineage(o.Lineage), o.Names, func(p *worker) bool {
				p.admission = admission{}
				_, err := e.Resume(runContext{p.process}, o)
				return p.concluded(err)
			}})
		}
		p.together(all)
	})
}

// surrender is an operator who gives an open order up.
func (l *lineage) surrender() {
	left := must(l.s.book.Orders(background, ledger.OrderFilter{Unsettled: true, Lineage: l.name}))
	if len(left) == 0 {
		return
	}
	l.trouble, l.attempts = l.s.w.time(), 0
	l.s.w.spawn(l.s, "release", func(p *worker) {
		p.l = l
		e, err := p.engine("release")
		if err == nil {
			p.concluded(e.Release(runContext{p.process}, left[0]))
		}
	})
}

// calm begins the quiet days: the world is whole from now on.
func (w *world) calm() {
	w.log("world", "", "everything is well from now on")
	w.quiet = true
	w.ca.away, w.ca.blind = time.Time{}, time.Time{}
	for _, s := range w.everySite() {
		s.gone, s.dead, s.strayed = false, false, false
	}
	for _, s := range w.servers {
		s.setClock(0)
	}
	w.troubled(everyone)
}
