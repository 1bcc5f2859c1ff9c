package certbot

import (
	"time"

	"orderly/certbot/configobj"
)

// certbot notes in the renewal file when a CA wants to be asked again. The note is kept, so that
// either program asks as often as the CA wishes.

// ariSection and ariKey are where certbot ≥ 5 notes when the CA may be asked for renewal
// information again, in the host's local time without a zone (renewal.py).
const (
	ariSection = "acme_renewal_info"
	ariKey     = "ari_retry_after"
	ariLayout  = "2006-01-02T15:04:05"
)

func (r *reader) retryAfter(root *configobj.Section) time.Time {
	sub, ok := root.Subsection(ariSection)
	if !ok {
		return time.Time{}
	}
	v, ok := sub.Get(ariKey)
	if !ok || v.Err != nil {
		return time.Time{}
	}
	at, err := time.ParseInLocation(ariLayout, v.String(), time.Local)
	if err != nil {
		r.note(sub, ariKey, "ari_retry_after is no time such as %s and has no effect", ariLayout)
		return time.Time{}
	}
	return at
}

func applyRetryAfter(root *configobj.Section, current, wanted time.Time) error {
	wanted = wanted.Truncate(time.Second)
	if wanted.IsZero() || wanted.Equal(current) {
		return nil
	}
	sub, err := root.AddSection(ariSection)
	if err != nil {
		return err
	}
	return sub.Set(ariKey, wanted.In(time.Local).Format(ariLayout))
}
