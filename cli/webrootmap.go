package cli

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"orderly/failure"
)

// mapValue is certbot's --webroot-map: document roots by names, which counts more than what -w and -d say.
type mapValue struct{ r *roots }

// Set implements pflag.Value.
func (v mapValue) Set(text string) error {
	bad := func() error {
		return failure.New(failure.Usage, "", `--webroot-map: not JSON such as {"a.example,www.a.example": "/var/www/a"}`)
	}
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad()
	}
	for d.More() { // in the order of the text, which names the certificate
		key, err := d.Token()
		var dir string
		if err != nil || d.Decode(&dir) != nil {
			return bad()
		}
		if err := v.r.addMapped(key.(string), dir); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return bad()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad()
	}
	return nil
}

// String implements pflag.Value.
func (v mapValue) String() string { return "" }

// Type implements pflag.Value.
func (v mapValue) Type() string { return "JSON" }

func (r *roots) addMapped(names, dir string) error {
	path, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(names, ",") {
		if name = strings.TrimSpace(name); name != "" {
			r.names = append(r.names, name)
			r.mapped[name] = path
		}
	}
	return nil
}
