package cli

// help and completion in place of cobra's own, which take any word for a command or a shell and end
// with 0.

import (
	"strings"

	"github.com/spf13/cobra"

	"orderly/certbot"
	"orderly/failure"
)

// newHelp is cobra's help, which knows what is no command.
func newHelp() *cobra.Command {
	c := &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command does and which flags it has",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || about == nil || len(rest) > 0 {
				return noCommand(c.Root(), strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
	new(places).add(c.Flags())
	return c
}

// newCompletion prints what makes a shell complete command lines, in place of cobra's own, which
// takes any word for a shell.
func newCompletion(_ Env, p *printer) *cobra.Command {
	f := &places{}
	plain := false
	c := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for a shell: bash, zsh, fish or powershell",
		Long: "Print the script by which a shell completes orderly's command lines. For bash, with the package\n" +
			"bash-completion:\n\n  orderly completion bash > /etc/bash_completion.d/orderly",
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      oneArgument("the name of a shell (bash, zsh, fish or powershell)", ""),
		RunE: func(c *cobra.Command, args []string) error {
			p.quiet, p.json = f.quiet, f.json
			var text strings.Builder
			known, err := complete(c.Root(), args[0], !plain, &text)
			switch {
			case !known:
				return failure.New(failure.Usage, "Name one of bash, zsh, fish and powershell.",
					"there is no completion for the shell %s", failure.Clean(args[0]))
			case err != nil:
				return err
			case p.json:
				p.print(struct {
					Version int    `json:"version"`
					Script  string `json:"script"`
				}{1, text.String()})
				return nil
			}
			_, err = p.out.Write([]byte(text.String()))
			return err
		},
	}
	c.Flags().BoolVar(&plain, "no-descriptions", false, "without descriptions")
	f.add(c.Flags())
	return c
}

// lineagesForShell are the names that --cert-name takes. A directory that cannot be read has none.
func lineagesForShell(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	dirs := certbot.DefaultDirs()
	if f := c.Flags().Lookup("config-dir"); f != nil {
		dirs.Config = f.Value.String()
	}
	names, _ := (&certbot.Store{Dirs: dirs}).Listed()
	return names, cobra.ShellCompDirectiveNoFileComp
}

// complete writes the script of a shell and reports whether there is one.
func complete(root *cobra.Command, shell string, described bool, out *strings.Builder) (known bool,
	err error) {
	switch shell {
	case "bash":
		return true, root.GenBashCompletionV2(out, described)
	case "zsh":
		if !described {
			return true, root.GenZshCompletionNoDesc(out)
		}
		return true, root.GenZshCompletion(out)
	case "fish":
		return true, root.GenFishCompletion(out, described)
	case "powershell":
		if !described {
			return true, root.GenPowerShellCompletion(out)
		}
		return true, root.GenPowerShellCompletionWithDesc(out)
	}
	return false, nil
}
