package account_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"orderly/account"
	"orderly/failure"
	"orderly/testca"
)

// One run's goroutines share its hold on the accounts: what one learnt of an account, all know, and of
// many that want one made at once, one makes it.
func TestAccountsAreForManyAtOnce(t *testing.T) {
	w := newWorld(t, testca.Config{})
	k := w.run()
	var all sync.WaitGroup
	urls := make([]string, 16)
	for i := range urls {
		all.Go(func() {
			a, err := k.Register(t.Context(), w.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
			if err != nil {
				t.Error(err)
				return
			}
			urls[i] = a.URL
			own := fmt.Sprintf("%s/%d", a.URL, i)
			k.Mourn(a.Server, own, failure.New(failure.Account, "", "gone %d", i))
			if why := k.Dead(a.Server, own); why == nil || why.Error() != fmt.Sprintf("gone %d", i) {
				t.Errorf("%v", why)
			}
			if k.Mourn(a.Server, a.URL, errors.New("a broken line")); k.Dead(a.Server, a.URL) != nil {
				t.Error("a broken line was held against the account")
			}
			if k.FinishedUnregister(a.Server) {
				t.Error("an account counts as given up")
			}
		})
	}
	all.Wait()
	w.agree("valid")
	for _, url := range urls {
		if url != urls[0] {
			t.Errorf("several accounts: %v", urls)
		}
	}
}
