package digest

// A digest as package deliver takes it.

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"orderly/deliver"
	"orderly/doctor"
	"orderly/failure"
)

// What a webhook gets: so many entries of each list, fewer where that is longer than so many bytes.
const (
	mostEntries  = 1000
	mostDocument = 2 << 20
)

// Letter is the digest as a message.
func (d *Digest) Letter() (deliver.Letter, error) {
	text, whole := d.Text()
	document, err := json.Marshal(d.Bounded(mostEntries))
	for n := mostEntries / 4; err == nil && len(document) > mostDocument && n > 0; n /= 4 {
		document, err = json.Marshal(d.Bounded(n))
	}
	if err != nil {
		return deliver.Letter{}, fmt.Errorf("a digest cannot be written: %w", err)
	}
	return deliver.Letter{Version: 1, ID: "digest-" + rand.Text(), Host: d.Server, At: d.At,
		Subject: d.Subject(), Text: text, HTML: d.HTML(), Brief: d.Brief(), Whole: whole,
		Document: document}, nil
}

// Trial is a message that says nothing but that messages arrive.
func Trial(host string, at time.Time) (deliver.Letter, error) {
	d := &Digest{trial: true, Version: Version, Server: host, At: at.UTC(), New: []Group{}, Worse: []Group{}, Ending: []Ending{},
		Mended: []Mended{}, Failures: []Failures{}, Silent: []doctor.Unread{},
		Verdict: "This is a test: the digests of " + failure.Clean(host) + " arrive here. Nobody has to do anything."}
	l, err := d.Letter()
	l.ID, l.Subject = "test-"+rand.Text(), "[test] ["+failure.Clean(host)+"] digests arrive here"
	return l, err
}
