package doctor

// Behind NAT a server often does not reach itself by its own public address: every name would be
// waited for, and all of them lead to the same address.

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
)

// enough is how many connections in a row that are waited for in vain make an address one that is not
// tried again in this examination.
const enough = 3

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// patience is a dialer that learns where nobody answers.
type patience struct {
	dial dialer

	mu     sync.Mutex
	silent map[string]int // connections in a row without an answer, by IP:PORT
}

func newPatience(dial dialer) *patience {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &patience{dial: dial, silent: map[string]int{}}
}

// connect connects, or says at once what waiting would say.
func (p *patience) connect(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	silent := p.silent[address]
	p.mu.Unlock()
	if silent >= enough {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	conn, err := p.dial(ctx, network, address)
	p.mu.Lock()
	defer p.mu.Unlock()
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		p.silent[address]++
	} else {
		delete(p.silent, address)
	}
	return conn, err
}
