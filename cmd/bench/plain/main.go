// Command plain gets one certificate with golang.org/x/crypto/acme and keeps nothing but its files:
// no ledger, no checks, nothing that could be resumed. It is the measure of what Orderly's certonly
// costs, run by cmd/bench, and must never be used for anything else.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/acme"
)

func main() {
	server := flag.String("server", "", "`URL` of the CA's directory")
	root := flag.String("root", "", "document root of all names")
	dir := flag.String("dir", "", "where the account and the certificate are kept")
	flag.Parse()
	if err := obtain(context.Background(), *server, *root, *dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

func obtain(ctx context.Context, server, root, dir string, names []string) error {
	client, err := enrolled(ctx, server, dir)
	if err != nil {
		return err
	}
	order, err := client.AuthorizeOrder(ctx, acme.DomainIDs(names...))
	if err != nil {
		return err
	}
	for _, url := range order.AuthzURLs {
		if err := prove(ctx, client, url, root); err != nil {
			return err
		}
	}
	if order, err = client.WaitOrder(ctx, order.URI); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		return err
	}
	chain, _, err := client.CreateOrderCert(ctx, order.FinalizeURL, csr, true)
	if err != nil {
		return err
	}
	return save(dir, key, chain)
}

// enrolled is a client with the account that is kept in dir, made first where there is none.
func enrolled(ctx context.Context, server, dir string) (*acme.Client, error) {
	client := &acme.Client{DirectoryURL: server}
	file, address := filepath.Join(dir, "account.pem"), filepath.Join(dir, "account.url")
	text, err := os.ReadFile(file)
	if err == nil {
		block, _ := pem.Decode(text)
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		url, err := os.ReadFile(address)
		client.Key, client.KID = key, acme.KeyID(url)
		return client, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	client.Key = key
	account, err := client.Register(ctx, &acme.Account{}, acme.AcceptTOS)
	if err != nil {
		return nil, err
	}
	return client, errors.Join(saveKey(file, key), os.WriteFile(address, []byte(account.URI), 0o600))
}

// prove places the token of an authorization, and takes it away again once the CA has looked.
func prove(ctx context.Context, client *acme.Client, url, root string) error {
	authorization, err := client.GetAuthorization(ctx, url)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(authorization.Challenges,
		func(c *acme.Challenge) bool { return c.Type == "http-01" })
	if i < 0 {
		return errors.New("there is no http-01")
	}
	challenge := authorization.Challenges[i]
	response, err := client.HTTP01ChallengeResponse(challenge.Token)
	if err != nil {
		return err
	}
	file := filepath.Join(root, client.HTTP01ChallengePath(challenge.Token))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(response), 0o644); err != nil {
		return err
	}
	if _, err := client.Accept(ctx, challenge); err != nil {
		return err
	}
	if _, err := client.WaitAuthorization(ctx, url); err != nil {
		return err
	}
	return os.Remove(file)
}

func save(dir string, key *ecdsa.PrivateKey, chain [][]byte) error {
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return errors.Join(saveKey(filepath.Join(dir, "privkey.pem"), key),
		os.WriteFile(filepath.Join(dir, "fullchain.pem"), text, 0o644))
}

func saveKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
