package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// stepSent: the CA was, or was about to be, asked to take the new key.
const stepSent = "sent"

// keyChange is the payload of a KeyChangeTask. The new key itself is in certbot.KeyChange's record beside the ledger.
type keyChange struct {
	Server string `json:"server"`
	From   string `json:"from"` // the account's id by its former key
	To     string `json:"to"`
}

// ChangeKey gives an account another key (RFC 8555 §7.3.5) and returns it with its new id. No other run is at work
// meanwhile. The new key is durable before the CA is asked; a run that dies leaves a task, and the next one, whatever that is
// about, goes on with it.
func (s *Server) ChangeKey(ctx context.Context, a *certbot.Account) (*certbot.Account, error) {
	if s.rekeyed[a.ID] {
		return a, nil // this run has just finished what an earlier one began
	}
	c, err := s.Disk.BeginKeyChange(*a)
	if err != nil {
		return nil, err
	}
	t, err := s.keyTask(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.changeKey(ctx, a, c, t)
}

// changeKey is ChangeKey from the intent on.
func (s *Server) changeKey(ctx context.Context, a *certbot.Account, c *certbot.KeyChange, t *ledger.Task) (*certbot.Account, error) {
	if c.Resumed && !c.Accepted && t.Step == stepSent {
		if err := s.lookForKey(ctx, c); err != nil {
			return nil, err
		}
	}
	if !c.Accepted {
		if err := s.sendKey(ctx, a, c, t); err != nil {
			return nil, err
		}
	}
	return s.followKey(ctx, c, t)
}

// keyTask is the task of a change of key. One that has none, since the ledger was lost, may have been sent.
func (s *Server) keyTask(ctx context.Context, c *certbot.KeyChange) (*ledger.Task, error) {
	tasks, err := s.Ledger.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		var p keyChange
		if t.Kind == ledger.KeyChangeTask && json.Unmarshal([]byte(t.Payload), &p) == nil && p.From == c.From {
			return &t, nil
		}
	}
	t, err := s.undertake(ctx, ledger.KeyChangeTask, c.URL, keyChange{c.Server, c.From, c.To}, ledger.Change{})
	if err == nil && c.Resumed {
		t.Step = stepSent
		err = s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: []*ledger.Task{t}})
	}
	return t, err
}

// sendKey asks the CA to take the new key.
func (s *Server) sendKey(ctx context.Context, a *certbot.Account, c *certbot.KeyChange, t *ledger.Task) error {
	speaker, _, err := s.speaker(a)
	if err != nil {
		return err
	}
	next, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	sentBefore := t.Step == stepSent
	t.Step = stepSent
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Kind: "key-change intent", Detail: c.URL + " " + c.From + " to " + c.To}
	if err := s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: []*ledger.Task{t}, Events: []ledger.Event{event}}); err != nil {
		return err
	}
	_, err = speaker.ChangeKey(ctx, next)
	if err == nil {
		return s.Disk.AcceptKeyChange(c)
	}
	wrapped := accountFailure(err, "the key of the account %s could not be changed", a.URL)
	if _, ok := errors.AsType[*acme.NotSent](err); !ok {
		// Also a refusal is no proof: an earlier request may have been obeyed.
		if look := s.lookForKey(ctx, c); look != nil || c.Accepted {
			return look
		}
		if undecided(err) {
			return wrapped
		}
	}
	if sentBefore && s.Clock.Now().Sub(t.BegunAt) < longestKeyChange {
		return wrapped
	}
	// The CA was never asked, or said no: nobody will need the new key.
	return errors.Join(wrapped, s.Disk.EndKeyChange(c), s.endTask(ctx, t, ledger.Event{Kind: "key change failed", Detail: c.URL}))
}

// longestKeyChange is how long a request of a run that died may still be on its way.
const longestKeyChange = time.Hour

// goOnChangingKey goes on with a change of key that another run began. The CA is asked to take the new key only where no
// other run may be signing with the old one.
func (s *Server) goOnChangingKey(ctx context.Context, t *ledger.Task) error {
	var p keyChange
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	unlock, free, err := s.Locks.TryLock("key-change")
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	changes, err := s.Disk.KeyChanges()
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.From == p.From {
			return s.goOnWith(ctx, c, t)
		}
	}
	return s.endTask(ctx, t, ledger.Event{Kind: "key change ended", Detail: t.Subject})
}

func (s *Server) goOnWith(ctx context.Context, c *certbot.KeyChange, t *ledger.Task) error {
	if !c.Accepted && !s.solitary(ctx) {
		if t.Step != stepSent {
			return nil // the CA has never heard of it
		}
		if err := s.lookForKey(ctx, c); err != nil || !c.Accepted {
			return err
		}
	}
	if c.Accepted {
		_, err := s.followKey(ctx, c, t)
		return err
	}
	a, err := s.Disk.Account(c.Server, c.From)
	if err != nil {
		return err
	}
	s.Report.Tell("Going on with the change of the key of %s, which run %d began.", c.URL, t.RunID)
	_, err = s.changeKey(ctx, &a, c, t)
	return err
}

// lookForKey asks the CA whether the new key has the account. Nothing but this account can have it.
func (s *Server) lookForKey(ctx context.Context, c *certbot.KeyChange) error {
	key, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	client, err := s.client(c.Server)
	if err != nil {
		return err
	}
	_, err = client.NewAccount(ctx, key, acme.Registration{OnlyReturnExisting: true})
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.IsType("accountDoesNotExist") {
		return nil
	}
	if err != nil {
		return failure.Wrap(err, classOf(err), "Run the same command again: both keys are kept until the CA says which one counts.",
			"it is not known whether the CA has changed the key of the account %s", c.URL)
	}
	return s.Disk.AcceptKeyChange(c)
}

// followKey lets this host follow what the CA has accepted: the account's directory, the ledger, the renewal files. The
// directory comes first, since without it nothing can be signed.
func (s *Server) followKey(ctx context.Context, c *certbot.KeyChange, t *ledger.Task) (*certbot.Account, error) {
	ctx = context.WithoutCancel(ctx)
	a, err := s.Disk.InstallKey(c)
	if err != nil {
		return nil, err
	}
	if err := s.followInLedger(ctx, c, &a); err != nil {
		return nil, err
	}
	names, err := s.Heirs(c.From)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := s.followInFile(ctx, name, c); err != nil {
			return nil, err
		}
	}
	if err := s.Disk.EndKeyChange(c); err != nil {
		return nil, err
	}
	if t.RunID != s.run.ID {
		s.rekeyed = map[string]bool{c.To: true}
	}
	return &a, s.endTask(ctx, t, ledger.Event{Kind: "key change ended", Detail: c.URL + " " + c.To})
}

func (s *Server) followInLedger(ctx context.Context, c *certbot.KeyChange, a *certbot.Account) error {
	change := &ledger.Change{Account: s.Row(a)}
	row, err := s.Ledger.Account(ctx, c.Server, c.URL)
	if err == nil {
		row.KeyID = c.To
		change.Account = row
		change.Orders, err = s.awaited(ctx, row.ID)
	}
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		return err
	}
	for _, o := range change.Orders {
		o.Request.Account = c.To // the renewal file will name it
	}
	change.Events = []ledger.Event{{At: s.Clock.Now(), RunID: s.run.ID, Kind: "key changed", Detail: c.URL + " " + c.To}}
	return s.Ledger.Commit(ctx, change)
}

// awaited are an account's orders that a certificate may still come of: also those that rest until their names are asked for
// again.
func (s *Server) awaited(ctx context.Context, account int64) ([]*ledger.Order, error) {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, AccountID: account})
	if err != nil {
		return nil, err
	}
	live, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Live: true, AccountID: account})
	for _, o := range live {
		if !o.SettledAt.IsZero() {
			orders = append(orders, o)
		}
	}
	return orders, err
}

func (s *Server) followInFile(ctx context.Context, name string, c *certbot.KeyChange) error {
	unlock, err := s.lock(ctx, order.LineageLock(name))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	r, err := s.Disk.ReadRenewal(s.Disk.Dirs.Renewal(name))
	if r == nil || r.Params.Account != c.From {
		return err
	}
	return s.Disk.WriteRenewal(r, certbot.Params{Account: c.To})
}

// finishKeyChanges goes on with changes of key of which the ledger knows nothing, since it was lost meanwhile. Nothing to do
// costs one look at the disk.
func (s *Server) finishKeyChanges(ctx context.Context) {
	changes, err := s.Disk.KeyChanges()
	tasks, more := s.Ledger.Tasks(ctx)
	if err = errors.Join(err, more); err == nil && len(changes) == 0 {
		return
	}
	for _, c := range changes {
		if slices.ContainsFunc(tasks, func(t ledger.Task) bool { return t.Kind == ledger.KeyChangeTask && t.Subject == c.URL }) {
			continue // it has been gone on with, or somebody else is at it
		}
		t, begun := s.keyTask(ctx, c)
		if begun == nil {
			begun = s.goOnChangingKey(ctx, t)
		}
		err = errors.Join(err, begun)
	}
	if err != nil {
		s.Report.Warn("a change of an account's key is not finished: %v", err)
	}
}
