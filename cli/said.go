package cli

// Flags whose values are settings of a certificate: each says its setting, and what no flag says
// stays unsaid. A flag that is given as nothing says nothing, as with certbot, whose scripts pass
// variables that are not set.

import (
	"strconv"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
)

// textFlag says a text.
type textFlag struct{ *host.Value[string] }

// Set implements pflag.Value.
func (f textFlag) Set(text string) error {
	*f.Value = host.Value[string]{}
	if text != "" {
		*f.Value = host.Say(text)
	}
	return nil
}

// String implements pflag.Value.
func (f textFlag) String() string {
	if f.Value == nil {
		return ""
	}
	return f.Is()
}

// Type implements pflag.Value.
func (textFlag) Type() string { return "string" }

// numberFlag says a number. usual is what help shows where none is said.
type numberFlag struct {
	*host.Value[int]
	usual int
}

// Set implements pflag.Value.
func (f numberFlag) Set(text string) error {
	n, err := strconv.ParseInt(text, 0, 32)
	*f.Value = host.Say(int(n))
	return err
}

// String implements pflag.Value.
func (f numberFlag) String() string {
	if f.Value == nil || !f.Said() {
		return strconv.Itoa(f.usual)
	}
	return strconv.Itoa(f.Is())
}

// Type implements pflag.Value.
func (numberFlag) Type() string { return "int" }

// switchFlag says that something is on, or off. name is that of the switch that says on.
type switchFlag struct {
	*host.Value[bool]
	name string
	on   bool
}

// Set implements pflag.Value.
func (f switchFlag) Set(text string) error {
	given, err := strconv.ParseBool(text)
	if err != nil || !given {
		return err
	}
	if f.Said() && f.Is() != f.on {
		return failure.New(failure.Usage, "", "--%s and --no-%s contradict each other", f.name,
			f.name)
	}
	*f.Value = host.Say(f.on)
	return nil
}

// String implements pflag.Value.
func (f switchFlag) String() string {
	return strconv.FormatBool(f.Value != nil && f.Said() && f.Is() == f.on)
}

// Type implements pflag.Value.
func (switchFlag) Type() string { return "bool" }

// addText, addNumber and addSwitch add flags that say settings.
func addText(set *pflag.FlagSet, v *host.Value[string], name, usage string) {
	set.Var(textFlag{v}, name, usage)
}

func addNumber(set *pflag.FlagSet, v *host.Value[int], name string, usual int, usage string) {
	set.Var(numberFlag{v, usual}, name, usage)
}

// addSwitch adds --name and --no-name.
func addSwitch(set *pflag.FlagSet, v *host.Value[bool], name, usage, off string) {
	set.Var(switchFlag{v, name, true}, name, usage)
	set.Var(switchFlag{v, name, false}, "no-"+name, off)
	set.Lookup(name).NoOptDefVal, set.Lookup("no-"+name).NoOptDefVal = "true", "true"
}

// alias makes another spelling of a flag that certbot knows.
func alias(set *pflag.FlagSet, name, of string) {
	f := *set.Lookup(of)
	f.Name, f.Shorthand, f.Hidden = name, "", true
	set.AddFlag(&f)
}
