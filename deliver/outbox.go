package deliver

// The outbox: what is to be told stands in the ledger, and goes when it has arrived. A channel that
// fails keeps no other waiting, is tried again after pauses that grow, and is itself something that
// the doctor tells.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"sync"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/parts"
)

// Bounds of a delivery.
const (
	// Patience is how long one try may take; no other is begun in a run whose channel has had so long.
	Patience = 30 * time.Second
	// GivenUpAfter is how old a message may become whose channel fails.
	GivenUpAfter = 5 * 24 * time.Hour
	// told is when a person who watches hears what is waited for.
	told = time.Second
	// mostLetter is how long a letter may be in the outbox, in bytes.
	mostLetter = 16 << 20
)

// Store is what an outbox needs of a ledger.
type Store interface {
	Commit(ctx context.Context, c *ledger.Change) error
	Memo(ctx context.Context, key string) (ledger.Memo, error)
	Messages(ctx context.Context) ([]ledger.Message, error)
}

// Outbox delivers. It is for one process at a time: whoever calls it holds a lock.
type Outbox struct {
	Store    Store
	Channels []Channel
	World    World
	Now      func() time.Time
	Tell     func(format string, args ...any) // what is waited for
}

// Outcome is what became of a channel's messages in a run.
type Outcome struct {
	Channel   string
	Tried     bool // or all of it waits for its time
	Delivered int
	Waiting   int
	GivenUp   int
	Problem   string // of the last try, "" where it went well
	Remedy    failure.Remedy
	NextAt    time.Time // when what waits is tried again
}

// Put makes the messages of a letter, one for each channel that is named, none for all. They are in
// the outbox once the caller has committed them, with whatever else must not be told twice.
func (o *Outbox) Put(l Letter, channels ...string) ([]ledger.Message, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("a letter cannot be written: %w", err)
	}
	if len(body) > mostLetter {
		return nil, fmt.Errorf("a letter of %d bytes is too long for anybody", len(body))
	}
	var messages []ledger.Message
	for _, c := range o.Channels {
		if len(channels) == 0 || slices.Contains(channels, c.Name) {
			messages = append(messages, ledger.Message{Channel: c.Name, Subject: failure.Clean(l.Subject),
				Body: body, Created: o.Now()})
		}
	}
	return messages, nil
}

// run is one delivery.
type run struct {
	*Outbox
	mu       sync.Mutex // has the two below, and commits
	state    channels
	outcomes map[string]*Outcome
}

// Deliver tries what is due, only what pick admits where it is set: every channel at once, each
// message in the order in which it was put in. An error is the ledger's; what channels do is in the
// outcomes, one for each channel that had something to deliver.
func (o *Outbox) Deliver(ctx context.Context, pick func(ledger.Message) bool) ([]Outcome, error) {
	all, err := o.Store.Messages(ctx)
	if err != nil {
		return nil, err
	}
	state, err := readChannels(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	r := &run{Outbox: o, state: state, outcomes: map[string]*Outcome{}}
	if err := r.forget(ctx, all); err != nil {
		return nil, err
	}
	var group parts.Group
	errs := make([]error, len(o.Channels))
	for i, c := range o.Channels {
		var own []ledger.Message
		for _, m := range all {
			if m.Channel == c.Name && (pick == nil || pick(m)) {
				own = append(own, m)
			}
		}
		if len(own) > 0 {
			r.outcomes[c.Name] = &Outcome{Channel: c.Name}
			group.Go(func() { errs[i] = r.channel(ctx, c, own, pick != nil) })
		}
	}
	group.Wait()
	var outcomes []Outcome
	for _, c := range o.Channels {
		if done := r.outcomes[c.Name]; done != nil {
			outcomes = append(outcomes, *done)
		}
	}
	return outcomes, errors.Join(errs...)
}

// forget drops what is for channels that are no longer configured: nobody will ever take it.
func (r *run) forget(ctx context.Context, all []ledger.Message) error {
	known := map[string]bool{}
	for _, c := range r.Channels {
		known[c.Name] = true
	}
	c := &ledger.Change{}
	for _, m := range all {
		if !known[m.Channel] {
			c.Delivered = append(c.Delivered, m.ID)
		}
	}
	before := len(r.state)
	for name := range r.state {
		if !known[name] {
			delete(r.state, name)
		}
	}
	if before != len(r.state) {
		c.Memos = []ledger.Memo{r.state.memo(r.Now())}
	}
	if c.Empty() {
		return nil
	}
	return r.Store.Commit(ctx, c)
}

// channel tries the messages of one. insisted: somebody waits for them now.
func (r *run) channel(ctx context.Context, c Channel, own []ledger.Message, insisted bool) error {
	until := r.Now().Add(Patience)
	broken := false
	for _, m := range own {
		switch {
		case broken || ctx.Err() != nil || !r.Now().Before(until),
			m.NextAt.After(r.Now()) && !insisted:
			r.wait(m)
			continue
		}
		done, err := r.try(ctx, c, m)
		if err != nil {
			return err
		}
		broken = !done
	}
	return nil
}

// wait counts a message that stays.
func (r *run) wait(m ledger.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.outcomes[m.Channel]
	o.Waiting++
	if o.Problem == "" {
		o.Problem = m.Problem
	}
	if o.NextAt.IsZero() || m.NextAt.Before(o.NextAt) {
		o.NextAt = m.NextAt
	}
}

// try tells one message to its channel, and writes down what came of it. It reports whether the
// channel can be tried with another.
func (r *run) try(ctx context.Context, c Channel, m ledger.Message) (bool, error) {
	var l Letter
	if err := json.Unmarshal(m.Body, &l); err != nil || l.Version != 1 {
		return true, r.book(ctx, c, m, l,
			rejected(trouble("", "the message is of another version of Orderly")))
	}
	r.mu.Lock()
	l.Had = r.state[c.Name].Had[l.ID]
	r.mu.Unlock()
	tried, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	telling := time.AfterFunc(told, func() {
		if r.Tell != nil {
			r.Tell("Waiting for the channel %s: %s.", c.Name, c.where())
		}
	})
	got := c.send(tried, r.World, &l)
	telling.Stop()
	if got.err != nil && !got.forGood && ctx.Err() != nil && len(got.had) == 0 {
		r.wait(m) // we were told to end: that is no fault of the channel's
		return false, nil
	}
	return got.err == nil || got.forGood, r.book(ctx, c, m, l, got)
}

// send tells a letter, whatever kind the channel is.
func (c *Channel) send(ctx context.Context, w World, l *Letter) receipt {
	switch c.Kind {
	case SMTP:
		return c.sendSMTP(ctx, w, l)
	case Sendmail:
		return c.sendSendmail(ctx, l)
	case Webhook:
		return c.sendWebhook(ctx, w, l)
	}
	return c.sendCommand(ctx, l)
}

// where is what a channel leads to, as a person may read it.
func (c *Channel) where() string {
	switch c.Kind {
	case SMTP:
		return c.Server
	case Webhook:
		return c.origin()
	}
	return c.program()
}

// book writes down what became of a try, in one commit.
func (r *run) book(ctx context.Context, c Channel, m ledger.Message, l Letter,
	got receipt) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, now := r.outcomes[c.Name], r.Now()
	o.Tried = true
	change := &ledger.Change{}
	if got.err == nil {
		o.Delivered++
		o.Problem, o.Remedy = "", ""
		r.state.arrived(c.Name, l.ID, got.refused, now)
		change.Delivered = []int64{m.ID}
	} else {
		m.Tries++
		m.Problem = failure.Clean(got.err.Error())
		o.Problem, o.Remedy = m.Problem, failure.RemedyOf(got.err)
		if got.forGood || now.Sub(m.Created) >= GivenUpAfter {
			o.GivenUp++
			change.Delivered = []int64{m.ID}
			r.state.lost(c.Name, l.ID, m.Problem, now)
		} else {
			o.Waiting++
			m.NextAt = now.Add(max(pause(m.Tries), got.after))
			o.NextAt = m.NextAt
			change.Messages = []ledger.Message{m}
			r.state.failed(c.Name, l.ID, m.Problem, got.had, now)
		}
	}
	if got.refused != nil {
		o.Problem, o.Remedy = failure.Clean(got.refused.Error()), failure.RemedyOf(got.refused)
	}
	change.Memos = []ledger.Memo{r.state.memo(now)}
	// what has arrived must not be forgotten because of a signal: it would be told twice
	return r.Store.Commit(context.WithoutCancel(ctx), change)
}

// pause is how long a channel is let alone after so many tries in a row: minutes at first, since
// many servers refuse what they do not know once, and a day in the end.
func pause(tries int) time.Duration {
	pauses := []time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
		12 * time.Hour, 24 * time.Hour}
	return pauses[min(max(tries, 1), len(pauses))-1]
}

// Recipients are the addresses of a channel without names.
func (c *Channel) Recipients() []string {
	var all []string
	for _, to := range c.To {
		if address, err := mail.ParseAddress(to); err == nil {
			all = append(all, address.Address)
		}
	}
	return all
}
