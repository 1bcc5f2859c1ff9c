package cli

// What the commands about accounts have in common: flags, and how the account is chosen. It is
// chosen before the run is recorded, since a run must say which account it is about; and looked for
// once more afterwards, since recovery may have ended a change of its key.

import (
	"context"

	"github.com/spf13/cobra"

	"orderly/certbot"
)

// accountCommand is what the commands about accounts have in common.
type accountCommand struct {
	places
	working
	accountFlags
}

func (f *accountCommand) addTo(c *cobra.Command) {
	c.Flags().SortFlags = false
	f.accountFlags.add(c, letsEncrypt)
	f.addStaging(c.Flags())
	f.addDeadline(c.Flags())
	f.places.add(c.Flags())
}

func (f *accountCommand) check() error {
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	return f.rehearsalFlags.choose(&f.accountFlags)
}

// begin chooses the account and records that the run is about it.
func (f *accountCommand) begin(ctx context.Context, s *session,
	command func(*certbot.Account) string) (*certbot.Account, error) {
	a, err := s.server.Disk.Accounts().Require(f.server, f.account)
	if err != nil {
		return nil, err
	}
	if err := s.server.Begin(ctx, command(&a), s.env.PID, s.server.Accounts().Row(&a)); err != nil {
		return nil, err
	}
	// A change of key that an earlier run left was ended meanwhile.
	if again, err := s.server.Disk.Accounts().Get(f.server, a.ID); err == nil {
		return &again, nil
	}
	a, err = s.server.Disk.Accounts().Require(f.server, "")
	return &a, err
}
