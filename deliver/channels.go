package deliver

// What is remembered of channels between runs: since when one fails, what was lost by that, and who
// of several recipients has what the others wait for.

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// memoKey is under which it is kept in the ledger.
const memoKey = "deliver/channels"

// channel is what is remembered of one.
type channel struct {
	FailingSince time.Time           `json:"failing_since,omitzero"`
	Problem      string              `json:"problem,omitempty"`
	Lost         int                 `json:"lost,omitempty"` // messages since one arrived
	Had          map[string][]string `json:"had,omitempty"`  // by letter
}

type channels map[string]channel

// readChannels reads what is remembered; what cannot be read is nothing.
func readChannels(ctx context.Context, s Store) (channels, error) {
	all := channels{}
	memo, err := s.Memo(ctx, memoKey)
	if errors.Is(err, ledger.ErrNone) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(memo.Body, &all) != nil || all == nil {
		return channels{}, nil
	}
	return all, nil
}

func (s channels) memo(now time.Time) ledger.Memo {
	body, _ := json.Marshal(s) // texts and times always can be
	return ledger.Memo{Key: memoKey, At: now, Body: body}
}

// arrived books a letter that a channel took; refused is what it did not take of it.
func (s channels) arrived(name, letter string, refused error, now time.Time) {
	c := channel{Had: s[name].without(letter)}
	if refused != nil {
		c.FailingSince, c.Problem = now, failure.Clean(refused.Error())
		if since := s[name].FailingSince; !since.IsZero() {
			c.FailingSince = since
		}
	}
	s[name] = c
}

func (s channels) failed(name, letter, problem string, had []string, now time.Time) {
	c := s[name]
	c.Problem = problem
	if c.FailingSince.IsZero() {
		c.FailingSince = now
	}
	if len(had) > 0 {
		all := maps.Clone(c.Had)
		if all == nil {
			all = map[string][]string{}
		}
		all[letter] = append(slices.Clone(all[letter]), had...)
		c.Had = all
	}
	s[name] = c
}

func (s channels) lost(name, letter, problem string, now time.Time) {
	s.failed(name, letter, problem, nil, now)
	c := s[name]
	c.Had = c.without(letter)
	c.Lost++
	s[name] = c
}

func (c channel) without(letter string) map[string][]string {
	rest := maps.Clone(c.Had)
	delete(rest, letter)
	return rest
}

// Trouble is a channel that fails.
type Trouble struct {
	Channel string
	Since   time.Time
	Problem string
	Waiting int // messages
	Lost    int // messages that were given up
}

// Troubles are the channels that fail, by name.
func Troubles(ctx context.Context, s Store) ([]Trouble, error) {
	state, err := readChannels(ctx, s)
	if err != nil || len(state) == 0 {
		return nil, err
	}
	waiting := map[string]int{}
	messages, err := s.Messages(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		waiting[m.Channel]++
	}
	var all []Trouble
	for _, name := range slices.Sorted(maps.Keys(state)) {
		if c := state[name]; !c.FailingSince.IsZero() {
			all = append(all, Trouble{Channel: name, Since: c.FailingSince, Problem: failure.Clean(c.Problem),
				Waiting: waiting[name], Lost: c.Lost})
		}
	}
	return all, nil
}
