package cli

// A certificate for a person's own CSR belongs to no lineage: its names are the CSR's, its private
// key never was here.

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/renewal"
)

// csrFlags are certbot's flags for a certificate with a person's own CSR, which belongs to no
// lineage.
type csrFlags struct {
	csr    string
	der    []byte
	output host.Output
}

func (f *csrFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.csr, "csr", "",
		"`file` with a signing request (PEM or DER) to get a certificate for; its private key "+
			"stays where it is")
	set.StringVar(&f.output.Cert, "cert-path", "",
		"with --csr: `file` for the certificate (default: 0000_cert.pem, 0001_cert.pem, …)")
	set.StringVar(&f.output.Chain, "chain-path", "", "with --csr: `file` for the intermediates")
	set.StringVar(&f.output.FullChain, "fullchain-path", "", "with --csr: `file` for both")
}

// read reads the CSR and returns its names where none were typed, as if they stood there as -d.
func (f *csrFlags) read(typed []string, w renewal.Wish) ([]string, error) {
	if f.csr == "" {
		if f.output != (host.Output{}) {
			return nil, failure.New(failure.Usage,
				"Leave them out: a lineage has its files in live/NAME.",
				"--cert-path, --chain-path and --fullchain-path need --csr")
		}
		return typed, nil
	}
	if w.Choice.AllowSubset.Is() {
		return nil, failure.New(failure.Usage, "Leave one of them out.",
			"--allow-subset-of-names cannot be used with --csr")
	}
	if w.CertName != "" {
		return nil, failure.New(failure.Usage, "Leave one of them out.",
			"--cert-name cannot be used with --csr: such a certificate belongs to no lineage")
	}
	der, names, err := renewal.ReadCSR(f.csr)
	if err != nil {
		return nil, err
	}
	same := ledger.CanonicalNames(typed)
	if len(typed) > 0 && !slices.Equal(same, names) {
		return nil, failure.New(failure.Config, "Leave -d out, or give the same names.",
			"Inconsistent domain requests:\nFrom the CSR: %s\nFrom command line/config file: %s",
			strings.Join(names, ", "), strings.Join(same, ", "))
	}
	f.der = der
	if len(typed) == 0 {
		return names, nil
	}
	return typed, nil
}
