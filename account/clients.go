package account

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"orderly/acme"
)

// A CA is one to a run, however many accounts it has there: what was fetched for one serves all.

// Clients are a run's clients of its CAs: one for all accounts of a CA, so that directory and
// nonces are fetched once.
type Clients struct {
	HTTP  *http.Client
	Agent string // user agent
	Now   func() time.Time
	Log   *slog.Logger
	// Date is told of the CA's clock with each answer; zero where that showed none.
	Date func(time.Time)

	mu   sync.Mutex
	made map[string]*acme.Client
}

// For returns the client of a CA. It sends nothing.
func (c *Clients) For(server string) (*acme.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, ok := c.made[server]; ok {
		return client, nil
	}
	client, err := acme.New(server, acme.Options{HTTP: c.HTTP, UserAgent: c.Agent, Now: c.Now, Observe: c.observe})
	if err != nil {
		return nil, err
	}
	if c.made == nil {
		c.made = map[string]*acme.Client{}
	}
	c.made[server] = client
	return client, nil
}

// observe logs every exchange and watches the CA's clock.
func (c *Clients) observe(ctx context.Context, x acme.Exchange) {
	log := c.Log.With("kind", x.Kind, "method", x.Method, "url", x.URL, "status", x.Status, "took",
		x.Took)
	if x.Err != nil {
		log = log.With("error", x.Err)
	}
	log.DebugContext(ctx, "exchange")
	c.Date(x.Date)
}
