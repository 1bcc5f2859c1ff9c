package cli

// Which CA and account a command is about, and how an account is made. A wrong address or half an
// external account is refused here: at the CA it would cost a request, and an account that nobody
// wanted.

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly/account"
	"orderly/acme"
	"orderly/failure"
	"orderly/host"
)

// letsEncrypt is certbot's default --server.
const letsEncrypt = host.Production

// accountFlags say which account is used, or how one is made.
type accountFlags struct {
	server, account string
	registration    account.Registration
	external        externalFlags
}

func (f *accountFlags) add(c *cobra.Command, server string) {
	c.Flags().StringVar(&f.server, "server", server, "directory `URL` of the CA")
	c.Flags().StringVar(&f.account, "account", "",
		"`id` of the account to use, where there are several")
	c.Flags().BoolVar(&f.registration.AgreeTOS, "agree-tos", false,
		"agree to the CA's terms of service when an account is made")
	c.Flags().StringVarP(&f.registration.Email, "email", "m", "",
		"`address` for an account that is made")
	c.Flags().BoolVar(&f.registration.NoEmail, "register-unsafely-without-email", false,
		"make the account without an address")
	f.external.add(c.Flags())
}

func (f *accountFlags) check() error {
	for address := range strings.SplitSeq(f.registration.Email, ",") {
		if address != "" && !isEmail(address) {
			return failure.New(failure.Usage,
				"Give an address such as admin@example.com, or several with commas between them.",
				"--email %s: not an address", failure.Clean(address))
		}
	}
	var err error
	f.registration.External, err = f.external.read()
	return err
}

func isEmail(text string) bool {
	local, domain, ok := strings.Cut(strings.TrimSpace(text), "@")
	return ok && local != "" && domain != "" && !strings.ContainsAny(text, " \t\r\n?#<>\"")
}

// externalFlags are certbot's flags about the customer of a CA that an account is made for (RFC
// 8555 §7.3.4).
type externalFlags struct {
	kid, key, algorithm string
}

func (f *externalFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.kid, "eab-kid", "",
		"`identifier` of the key by which the CA knows its customer, when an account is made")
	set.StringVar(&f.key, "eab-hmac-key", "", "that `key`, base64url, as the CA shows it")
	set.StringVar(&f.algorithm, "eab-hmac-alg", "",
		"its `algorithm`: HS256 (the default), HS384, HS512")
}

func (f *externalFlags) read() (*acme.ExternalAccount, error) {
	if f.kid == "" && f.key == "" && f.algorithm == "" {
		return nil, nil
	}
	return acme.NewExternalAccount(f.kid, f.key, f.algorithm)
}
