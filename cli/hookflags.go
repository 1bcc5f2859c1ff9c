package cli

// certbot's flags about its hooks. A hook that cannot be found, or that no renewal file can hold,
// is refused before anything is ordered: it would fail when the certificate is there.

import (
	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
)

// hookFlags are certbot's flags about its hooks, beside the hooks themselves.
type hookFlags struct {
	unchecked bool
	installer string
}

func (f *hookFlags) add(c *cobra.Command, h *host.Hooked) {
	set := c.Flags()
	addText(set, &h.Pre, "pre-hook",
		"shell `command` before the first order; kept in the renewal file")
	addText(set, &h.Post, "post-hook",
		"shell `command` afterwards, also when it failed; kept in the renewal file")
	addText(set, &h.Deploy, "deploy-hook",
		"shell `command` for each certificate put in place; kept in the renewal file")
	alias(set, "renew-hook", "deploy-hook")
	set.StringVarP(&f.installer, "installer", "i", "",
		"one of certbot's `installers`: none is run, and a note says so where no deploy hook is")
	set.BoolVar(&f.unchecked, "disable-hook-validation", false,
		"take hooks whose first word is no program that can be found")
}

func (f *hookFlags) check(h host.Hooked, getenv func(string) string) error {
	for _, hook := range []struct {
		kind    string
		command host.Value[string]
	}{{"pre-hook", h.Pre}, {"post-hook", h.Post}, {"deploy-hook", h.Deploy}} {
		// certbot would keep it, and could not read the renewal file from then on.
		if err := certbot.CanHold(hook.command.Is()); err != nil {
			return failure.Wrap(err, failure.Usage,
				"Write it into a script of its own, and name that.",
				"--%s cannot be kept in a renewal file", hook.kind)
		}
		if f.unchecked {
			continue
		}
		if err := host.CheckHook(hook.kind, hook.command.Is(), getenv); err != nil {
			return err
		}
	}
	return nil
}
