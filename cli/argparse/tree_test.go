package argparse_test

// The commands that these tests rewrite command lines for: names and flags as Orderly's own
// commands have them, with nothing behind them. That the real ones and the table agree is tested
// where they are, in package cli.

import (
	"errors"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
)

// The flags that several commands have: NAME, "NAME=" where it takes a value, ",x" for a short one.
const (
	places = " config-dir= work-dir= logs-dir= max-log-backups= quiet,q verbose,v json non-interactive,n noninteractive"
	verb   = " config,c=" + places
	asked  = " server= account= agree-tos email,m= register-unsafely-without-email eab-kid= eab-hmac-key=" +
		" eab-hmac-alg= staging test-cert deadline="
	proven = " webroot-path,w= webroot-map= standalone http-01-port= http-01-address= manual" +
		" manual-auth-hook= manual-cleanup-hook= webroot-from= preferred-challenges= cert-name="
	issued = " force-renewal renew-by-default dry-run run-deploy-hooks key-type= rsa-key-size=" +
		" elliptic-curve= reuse-key no-reuse-key new-key must-staple no-must-staple" +
		" preferred-chain= preferred-profile= required-profile= allow-subset-of-names" +
		" no-allow-subset-of-names pre-hook= post-hook= deploy-hook= renew-hook= installer,i=" +
		" disable-hook-validation force resolver= preflight-port= preflight-allow=" +
		" skip-preflight= longest-validation= issuance-timeout= no-directory-hooks"
)

// commands are the flags of each command; "order list" is one below another.
func commands() map[string]string {
	return map[string]string{
		"certonly": proven + issued + asked + verb + " domain,d= domains= ip-address= webroot expand" +
			" keep-until-expiring keep reinstall duplicate renew-with-new-domains csr= cert-path=" +
			" chain-path= fullchain-path= force-interactive",
		"renew":        proven + issued + asked + verb + " no-random-sleep-on-renew jobs= deploy-hook-once=",
		"certificates": verb + " cert-name= domain,d= domains=",
		"delete":       verb + " cert-name= deadline=",
		"revoke": asked + verb + " cert-name= cert-path= key-path= reason= delete-after-revoke" +
			" no-delete-after-revoke",
		"register":     asked + verb + " force-interactive",
		"show_account": asked + verb,
		"plugins":      verb + " init prepare authenticators installers",
		"pending":      places,
		"order":        places,
		"order list":   places,
		"order show":   places,
		"ledger":       places,
		"ledger check": places,
	}
}

// tree makes the commands.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "orderly"}
	for name, flags := range commands() {
		above, last := root, name
		if first, second, ok := strings.Cut(name, " "); ok {
			above, last = child(root, first), second
		}
		addFlags(child(above, last), flags)
	}
	addFlags(root, places+" version")
	for _, v := range argparse.RefusedVerbs() {
		child(root, v.Name).DisableFlagParsing = true
	}
	return root
}

// child is the command of a name below another, made where there is none.
func child(of *cobra.Command, name string) *cobra.Command {
	for _, c := range of.Commands() {
		if c.Name() == name {
			return c
		}
	}
	c := &cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}}
	of.AddCommand(c)
	return c
}

func addFlags(c *cobra.Command, flags string) {
	for _, flag := range strings.Fields(flags) {
		flag, value := strings.CutSuffix(flag, "=")
		name, short, _ := strings.Cut(flag, ",")
		if value {
			c.Flags().StringP(name, short, "", "")
		} else {
			c.Flags().BoolP(name, short, false, "")
		}
	}
}

// rewrite rewrites a command line. files are the configuration files by name, read in the order of
// names, and no others.
func rewrite(program string, args, names []string, files map[string]string) (argparse.Line, error) {
	read := func(named string) iter.Seq2[argparse.File, error] {
		return func(yield func(argparse.File, error) bool) {
			for _, name := range names {
				if text, ok := files[name]; ok && !yield(argparse.File{Name: name, Text: text}, nil) {
					return
				}
			}
			if named == "" {
				return
			}
			var err error
			text, ok := files[named]
			if !ok {
				err = errors.New("Unable to open config file: " + named)
			}
			yield(argparse.File{Name: named, Text: text}, err)
		}
	}
	return argparse.Rewrite(argparse.Input{Program: program, Args: args, Files: read}, tree())
}
