package cli

// digest tells people what changed since they were told last, and delivers what could not be
// delivered before. It is a command of its own, so that nothing of it can hold up a renewal.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"orderly/acme"
	"orderly/cli/argparse"
	"orderly/deliver"
	"orderly/digest"
	"orderly/failure"
	"orderly/ledger"
	"orderly/lock"
)

type digesting struct {
	places
	test   bool
	export bool
	merge  string
}

func newDigest(env Env, p *printer) *cobra.Command {
	f := &digesting{}
	c := &cobra.Command{
		Use:   "digest [--test | --export | --merge DIR]",
		Short: "Tell people what is new, worse or mended, once",
		Long: "Look at the certificates of this host as doctor does, and tell what changed since the last\n" +
			"digest: what is new, worse or mended, and what ends in 14, 7, 3 or 1 days without a renewal that\n" +
			"works. Where nothing changed, nothing is sent. What could not be delivered before is tried again,\n" +
			"after minutes at first and a day in the end, for five days. Let cron or a timer run it every hour.\n\n" +
			"Who is told stands in CONFIG/orderly/" + deliver.FileName + ":\n\n" + channelSettings + "\n" +
			"Exit codes: 0 everything arrived, or there was nothing to tell; 1 something did not arrive.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().BoolVar(&f.test, "test", false,
		"send a test message to every channel, by the way that digests take, and say what became of it")
	c.Flags().BoolVar(&f.export, "export", false,
		"print what this server has to tell as one document for --merge, and tell nobody")
	c.Flags().StringVar(&f.merge, "merge", "",
		"make one digest of the documents of many servers in this `directory` (digest --export, doctor\n"+
			"--json), in files called NAME.json or NAME.json.gz")
	// It fails where there is no such flag, and then no command line with it is understood.
	_ = c.MarkFlagDirname("merge")
	f.places.add(c.Flags())
	return c
}

func (f *digesting) execute(ctx context.Context, env Env, p *printer) error {
	if f.test && f.export || f.merge != "" && (f.test || f.export) {
		return failure.New(failure.Usage, "Give one of them.",
			"--test, --export and --merge are three different things to do")
	}
	if f.export {
		return f.printDocument(ctx, env, p)
	}
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // what was written is committed
	if err := there(s.dirs.Config); err != nil {
		return err
	}
	config, err := channelsOf(s)
	if err != nil {
		return err
	}
	if err := s.openLedger(ctx, false); err != nil {
		return err
	}
	unlock, err := s.lockDigest(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // it ends with the process
	client, err := acme.HTTPClient(env.Getenv)
	if err != nil {
		return err
	}
	t := &telling{digesting: f, s: s, config: config, now: time.Now, box: &deliver.Outbox{Store: s.ledger,
		Channels: config.Channels, Now: time.Now, Tell: p.Tell,
		World: deliver.World{HTTP: client, Host: serverName(env.Getenv)}}}
	if f.test {
		return t.test(ctx)
	}
	return t.tell(ctx)
}

// there complains of a configuration directory that is not there: a mistyped one must not look
// healthy.
func there(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return failure.Wrap(err, failure.Config,
			"Name certbot's configuration directory with "+failure.Do(failure.ConfigDir)+".",
			"the directory %s cannot be looked at", dir)
	}
	return nil
}

// channelsOf are the channels that are configured.
func channelsOf(s *session) (*deliver.Config, error) {
	path := filepath.Join(s.ledgerDir(), deliver.FileName)
	config, err := deliver.Load(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(config.Channels) == 0 {
		return nil, failure.New(failure.Config,
			"Name a channel there; "+failure.Do(failure.ShowChannels)+" lists every setting.",
			"nobody is told: %s names no channel", path)
	}
	return config, err
}

// lockDigest keeps a second digest away: both would tell the same.
func (s *session) lockDigest(ctx context.Context) (func() error, error) {
	unlock, err := s.locks.Wait(ctx, "digest", lock.Patience{Bound: lockPatience, Tell: func(pid int) {
		s.p.Tell("Waiting for process %d, which makes a digest.", pid)
	}})
	if held, ok := errors.AsType[*lock.HeldError](err); ok {
		return nil, failure.Wrap(err, failure.Locked,
			failure.Remedy(fmt.Sprintf("Look at process %d; if it hangs, end it.", held.PID)),
			"another digest has been at work for %s", held.After)
	}
	return unlock, err
}

// telling is one run.
type telling struct {
	*digesting
	s      *session
	config *deliver.Config
	box    *deliver.Outbox
	now    func() time.Time
}

// outcomeView is what became of a channel's messages as programs read it.
type outcomeView struct {
	Channel   string    `json:"channel"`
	Delivered int       `json:"delivered"`
	Waiting   int       `json:"waiting"`
	GivenUp   int       `json:"given_up"`
	Error     string    `json:"error"`
	Remedy    string    `json:"remedy"`
	NextAt    time.Time `json:"next_at,omitzero"`
}

// tell makes a digest and delivers it. Where none can be made, what waits is delivered all the same.
func (t *telling) tell(ctx context.Context) error {
	d, err := t.digest(ctx)
	outcomes, failed := t.box.Deliver(ctx, nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	p := t.s.p
	if p.json {
		t.print(d, outcomes)
		return t.verdict(outcomes)
	}
	switch {
	case d == nil:
		p.Say("It is not time for another digest yet (every = %s).", t.config.Every)
	case d.Empty():
		p.Say("Nothing has changed since the last digest; nothing is sent.")
	default:
		p.Say("%s", d.Verdict)
	}
	t.say(outcomes)
	return t.verdict(outcomes)
}

// print prints what programs read. A digest that is not made is null.
func (t *telling) print(d *digest.Digest, outcomes []deliver.Outcome) {
	views := []outcomeView{}
	for _, o := range outcomes {
		views = append(views, outcomeView{o.Channel, o.Delivered, o.Waiting, o.GivenUp, o.Problem,
			t.s.p.remedy(o.Remedy), o.NextAt.UTC()})
	}
	t.s.p.print(struct {
		Version  int            `json:"version"`
		Digest   *digest.Digest `json:"digest"`
		Channels []outcomeView  `json:"channels"`
	}{digest.Version, d, views})
}

// say tells what became of each channel's messages.
func (t *telling) say(outcomes []deliver.Outcome) {
	p := t.s.p
	for _, o := range outcomes {
		if o.Problem == "" {
			p.Say("%s: delivered.", o.Channel)
			continue
		}
		if !o.Tried {
			p.Say("%s: %d waiting, tried again from %s on: %s", o.Channel, o.Waiting, p.moment(o.NextAt),
				o.Problem)
			continue
		}
		state := "given up"
		switch {
		case o.Waiting > 0:
			state = fmt.Sprintf("not delivered, %d waiting, tried again from %s on", o.Waiting,
				p.moment(o.NextAt))
		case o.Delivered > 0:
			state = "delivered in part"
		}
		p.fault("%s: %s: %s", o.Channel, state, o.Problem)
		if o.Remedy != "" {
			p.fault("  %s%s", p.paint(bold, "remedy: "), p.remedy(o.Remedy))
		}
	}
}

// verdict is the exit code. What only waits for its time was told by an earlier run: cron would mail
// it every hour.
func (t *telling) verdict(outcomes []deliver.Outcome) error {
	if slices.ContainsFunc(outcomes,
		func(o deliver.Outcome) bool { return o.Tried && o.Problem != "" }) {
		return &exitError{1}
	}
	return nil
}

// digest makes the digest and puts it into the outbox, in one commit with what was told by it. nil
// where it is not time yet.
func (t *telling) digest(ctx context.Context) (*digest.Digest, error) {
	key, input := digest.OfServer, t.ofServer
	if t.merge != "" {
		key, input = digest.OfFleet, t.ofFleet
	}
	before, err := digest.Read(ctx, t.s.ledger, key)
	if err != nil {
		return nil, err
	}
	now := t.now()
	if !before.At.IsZero() && now.Sub(before.At) < t.config.Every && !before.At.After(now) {
		return nil, nil
	}
	in, err := input(ctx, before)
	if err != nil {
		return nil, err
	}
	d, after := digest.Make(in, before)
	change := &ledger.Change{}
	if err := t.put(ctx, change, in, d); err != nil {
		return nil, err
	}
	memo, err := after.Memo(key)
	if err != nil {
		return nil, err
	}
	change.Memos = []ledger.Memo{memo}
	return d, t.s.ledger.Commit(ctx, change)
}

// put puts a digest into the outbox; for channels that lost one, everything that is open.
func (t *telling) put(ctx context.Context, change *ledger.Change, in digest.Input,
	d *digest.Digest) error {
	lost := map[string]bool{}
	troubles, err := deliver.Troubles(ctx, t.s.ledger)
	if err != nil {
		return err
	}
	for _, trouble := range troubles {
		if trouble.Lost > 0 && trouble.Waiting == 0 {
			lost[trouble.Channel] = true
		}
	}
	others := map[string]bool{}
	for _, c := range t.config.Channels {
		if !lost[c.Name] {
			others[c.Name] = true
		}
	}
	add := func(d *digest.Digest, channels map[string]bool) error {
		if d.Empty() || len(channels) == 0 {
			return nil
		}
		l, err := d.Letter()
		if err != nil {
			return err
		}
		messages, err := t.box.Put(l, slices.Sorted(maps.Keys(channels))...)
		change.Messages = append(change.Messages, messages...)
		return err
	}
	if err := add(d, others); err != nil || len(lost) == 0 {
		return err
	}
	whole, _ := digest.Make(in, digest.State{})
	return add(whole, lost)
}

// test sends a test message to each channel and says what became of it.
func (t *telling) test(ctx context.Context) error {
	l, err := digest.Trial(t.box.World.Host, t.now())
	if err != nil {
		return err
	}
	messages, err := t.box.Put(l)
	if err != nil {
		return err
	}
	if err := t.s.ledger.Commit(ctx, &ledger.Change{Messages: messages}); err != nil {
		return err
	}
	ours := map[int64]bool{}
	for _, m := range messages {
		ours[m.ID] = true
	}
	outcomes, err := t.box.Deliver(ctx, func(m ledger.Message) bool { return ours[m.ID] })
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	// Whoever watches knows now; a test that arrives tomorrow helps nobody.
	left := &ledger.Change{Delivered: slices.Collect(maps.Keys(ours))}
	if err := errors.Join(err, t.s.ledger.Commit(context.WithoutCancel(ctx), left)); err != nil {
		return err
	}
	for i := range outcomes {
		if outcomes[i].Waiting > 0 {
			outcomes[i].Waiting, outcomes[i].NextAt = 0, time.Time{}
		}
	}
	if t.s.p.json {
		t.print(nil, outcomes)
		return t.verdict(outcomes)
	}
	for _, o := range outcomes {
		switch {
		case o.Problem == "":
			t.s.p.Say("%s: the test message is delivered.", o.Channel)
		case o.Delivered > 0:
			t.s.p.fault("%s: the test message is delivered in part: %s", o.Channel, o.Problem)
		default:
			t.s.p.fault("%s: the test message is not delivered: %s", o.Channel, o.Problem)
		}
		if o.Problem != "" && o.Remedy != "" {
			t.s.p.fault("  %s%s", t.s.p.paint(bold, "remedy: "), t.s.p.remedy(o.Remedy))
		}
	}
	return t.verdict(outcomes)
}
