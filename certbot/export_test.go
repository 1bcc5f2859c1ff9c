package certbot

// WithoutExchange makes the store change links in certbot's way, as on systems that cannot exchange directories.
func (s *Store) WithoutExchange() {
	s.exchange = func(a, b string) error { return errNoExchange }
}

// ExchangeAnd exchanges directories and lets then happen between the exchange and what follows.
func (s *Store) ExchangeAnd(then func()) {
	s.exchange = func(a, b string) error {
		err := exchangeDirs(a, b)
		then()
		return err
	}
}

// FormatJWK is tested against certbot.
var FormatJWK = formatJWK

// ParseRenewal reads a renewal file's content.
func (s *Store) ParseRenewal(path string, text []byte) (*Renewal, error) {
	return s.parseRenewal(path, text)
}

// Applied returns the content of the file with settings applied.
func (r *Renewal) Applied(p Params) ([]byte, error) {
	if err := r.apply(p); err != nil {
		return nil, err
	}
	return r.file.Bytes(), nil
}

// All opens every lineage. Those that cannot be opened are told in the errors, in the order of their names; one bad
// file never hides the others.
func (s *Store) All() ([]*Lineage, []error) { return s.each(s.Open) }

// CheckPair tells whether the current certificate and key belong together; if not, the error is of
// class LineageBroken.
func (l *Lineage) CheckPair() error {
	if err := l.Renewal.pair(); err != nil {
		return broken(err, l.Name, "the pair %s and %s cannot be used", l.Renewal.FullChain,
			l.Renewal.PrivKey)
	}
	return nil
}

// Verify checks the four files as certbot's certificates does before it lists a lineage
// (verify_renewable_cert): the certificate is signed with the first key of the chain, fullchain.pem
// is certificate and chain, and the private key is the certificate's. Errors are of class
// LineageBroken.
func (l *Lineage) Verify() error { return new(Verifier).Verify(l) }
