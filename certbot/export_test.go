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
