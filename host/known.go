package host

// How a name is proven on this host where an order is for the name alone, and not for a certificate
// of its own: as the certificate that has the name is proven by now.

import (
	"sync"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// ways is how the names of this host's certificates are proven. It is learnt once in a run: there may
// be as many names to ask for as the host has, and more.
type ways struct {
	once sync.Once
	of   map[string]Request
}

// Way is the request by which the certificate that has a name is renewed; false where none has it, or
// where its renewal file cannot be used.
func (f *Files) Way(name string) (Request, bool) {
	f.ways.once.Do(f.learnWays)
	r, known := f.ways.of[name]
	return r, known
}

func (f *Files) learnWays() {
	f.ways.of = map[string]Request{}
	names, err := f.Disk.Names()
	if err != nil {
		return // nothing can be proven here, which is said where it is tried
	}
	all := make([]*certbot.Lineage, len(names))
	f.Disk.LookEach(names, func(i int, l *certbot.Lineage, err error) {
		if err == nil {
			all[i] = l
		}
	})
	for _, l := range all {
		if l == nil {
			continue
		}
		r, err := FromFile(l, Said{})
		if err != nil && failure.ClassOf(err) != failure.WebrootUnset {
			continue // it is said where the lineage is renewed; who has a document root can be proven
		}
		for _, name := range l.Certificate.Names {
			f.ways.of[name] = r
		}
	}
}

// onItsWay is an order's request with the way in which its name is proven by now.
func (f *Files) onItsWay(o *ledger.Order) ledger.Request {
	r := o.Request
	if way, known := f.Way(o.Request.Names[0]); known {
		r.Host = way.Filed().Host
	}
	return r
}
