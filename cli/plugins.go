package cli

// plugins lists the ways to prove a name, as certbot lists its plugins.

import (
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
)

// plugin is a way to prove names, described as certbot describes its own.
type plugin struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Interfaces  []string `json:"interfaces"`
}

// provers are the ways there are, by certbot's names.
func provers() []plugin {
	interfaces := []string{"Authenticator", "Plugin"}
	return []plugin{
		{"manual", "Manual configuration or run your own shell scripts", interfaces},
		{"standalone", "Spin up a temporary webserver", interfaces},
		{"webroot", "Place files in webroot directory", interfaces},
	}
}

type plugins struct {
	places
	initialize, prepare, authenticators, installers bool
}

func newPlugins(env Env, p *printer) *cobra.Command {
	f := &plugins{}
	c := &cobra.Command{
		Use:   "plugins",
		Short: "List the ways to prove a name",
		Args:  argparse.NoArguments,
		RunE:  func(*cobra.Command, []string) error { return f.execute(p) },
	}
	c.Flags().BoolVar(&f.initialize, "init", false, "say also that they can be set up")
	c.Flags().BoolVar(&f.prepare, "prepare", false, "say also that they can be used")
	c.Flags().BoolVar(&f.authenticators, "authenticators", false,
		"only what proves names (which all do)")
	c.Flags().BoolVar(&f.installers, "installers", false,
		"only what configures web servers (which none does)")
	f.places.add(c.Flags())
	return c
}

func (f *plugins) execute(p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	list := provers()
	if f.installers {
		list = []plugin{}
	}
	if p.json {
		p.print(struct {
			Version int      `json:"version"`
			Plugins []plugin `json:"plugins"`
		}{1, list})
		return nil
	}
	var all []string
	for _, one := range list {
		text := "* " + one.Name + "\nDescription: " + one.Description + "\nInterfaces: " +
			strings.Join(one.Interfaces, ", ") + "\nEntry point: " + one.Name + " = orderly"
		if f.initialize || f.prepare {
			text += "\nInitialized: " + one.Name
		}
		if f.prepare {
			text += "\nPrep: True"
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		all = []string{"No plugins"}
	}
	p.Say("\n%s\n%s\n%s", frame, strings.Join(all, "\n\n"), frame)
	return nil
}
