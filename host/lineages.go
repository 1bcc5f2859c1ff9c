package host

import (
	"context"
	"strings"
	"sync"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// What killed programs and accidents do to lineages, certbot mostly complains of. Here it is mended
// where that is certain, under the lineage's lock, and said; a lineage whose private key is gone is
// due, once.

// Lineages opens lineages, mends them, and knows whose private key is lost.
type Lineages struct {
	Disk      *certbot.Store
	Ledger    ledger.Store
	Locks     *Locks
	Voice     *Voice
	Rehearsal bool // nothing is mended

	// serial numbers of certificates whose keys this run has found lost, by lineage
	abandoned *sync.Map
}

// Open opens a lineage, after mending what a killed certbot or Orderly left half-done, or an
// accident did to its links, if that is what is wrong. A lineage that another process works on is
// left to it.
func (m *Lineages) Open(name string) (*certbot.Lineage, error) {
	l, err := m.Disk.Open(name)
	// a certificate that a killed run did not link to, for instance
	unsettled := err == nil && (l.Unsettled || l.KeyLost != nil)
	if !unsettled && failure.ClassOf(err) != failure.LineageBroken || m.Rehearsal {
		return l, err
	}
	unlock, ok, lockErr := m.Locks.TryLock(order.LineageLock(name))
	if lockErr != nil || !ok {
		return l, err
	}
	defer func() { _ = unlock() }()
	if changed, repairErr := m.Repair(name); !changed || repairErr != nil {
		return l, err
	}
	return m.Disk.Open(name)
}

// Repair mends a lineage's links, and says what it did or found. The caller holds the lineage's
// lock.
func (m *Lineages) Repair(name string) (changed bool, err error) {
	done, err := m.Disk.Repair(name)
	if done.MovedFrom != "" {
		m.Voice.WarnOnce("the configuration directory was moved: the renewal file of %s named %s, "+
			"which is gone, and names %s now", name, done.MovedFrom, m.Disk.Dirs.Config)
	} else if done.Changed {
		m.Voice.WarnOnce("the links of %s were repaired", name)
	}
	if done.Abandoned != "" {
		m.abandoned.Store(name, done.Abandoned)
	}
	if done.LeftAlone != "" {
		m.Voice.WarnOnce("of %s, %s", name, done.LeftAlone)
	}
	return done.Changed, err
}

// ClearBlank removes the renewal files that a killed certbot left empty: certbot itself complains
// of one for ever, and makes a NAME-0001 beside it. This process holds certbot's lock.
func (m *Lineages) ClearBlank() error {
	if m.Rehearsal {
		return nil
	}
	cleared, err := m.Disk.ClearBlank(func(name string) (func() error, bool, error) {
		return m.Locks.TryLock(order.LineageLock(name))
	})
	for _, name := range cleared {
		m.Voice.Warn("the renewal file of %s was empty, as a killed certbot leaves it, and stood for nothing; it was removed", name)
	}
	return err
}

// Abandoned is the serial number of the certificate of a lineage whose key this run has found lost,
// "" for none: an older pair has taken its place, so that the server can start.
func (m *Lineages) Abandoned(lineage string) string {
	serial, _ := m.abandoned.Load(lineage)
	text, _ := serial.(string)
	return text
}

// lostSerial is the serial number of the certificate whose private key is lost: the one in place,
// or one that an older pair has just taken the place of, so that the server can start. "" if no key
// is lost.
func (m *Lineages) lostSerial(l *certbot.Lineage) string {
	if l.KeyLost != nil {
		return l.Certificate.Serial
	}
	return m.Abandoned(l.Name)
}

// NeedsKey reports whether a lineage is due because its private key is lost: what is left of the
// certificate is worth nothing. A certificate that was itself made for that reason is not replaced
// before it is due: something on this host takes the keys away, and each run would order another
// one.
func (m *Lineages) NeedsKey(l *certbot.Lineage) bool {
	serial := m.lostSerial(l)
	if serial == "" || l.Renewal.Params.AutorenewOff {
		return false
	}
	if !m.madeForLostKey(l.Name, serial) {
		return true
	}
	m.Voice.WarnOnce("the private key of %s is lost again, though it was renewed for that reason "+
		"before; it is not renewed before it is due: look for what removes the key, then run %s",
		l.Name, failure.Do(failure.RenewNow, l.Name))
	return false
}

// madeForLostKey reports whether a certificate took the place of one whose key was lost.
func (m *Lineages) madeForLostKey(lineage, serial string) bool {
	ctx := context.Background() // a look at this host's own ledger, in the middle of a decision
	last, err := m.Ledger.Certificate(ctx, lineage)
	if err != nil || strings.TrimLeft(last.Serial, "0") != serial {
		return false
	}
	o, err := m.Ledger.Order(ctx, last.OrderID)
	return err == nil && o.Request.LostKey
}
