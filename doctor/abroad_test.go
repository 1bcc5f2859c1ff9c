package doctor_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/doctor"
	"orderly/vantage"
	"orderly/vantage/vantagetest"
)

// lookedAtFrom lets sites be looked at from another place, at which other web servers stand behind the
// addresses, or nobody.
func (w *internet) lookedAtFrom(proxy *vantagetest.Proxy, abroad map[string]http.Handler) *vantage.Place {
	w.t.Helper()
	really := map[string]string{}
	for address, handler := range abroad {
		s := w.site(handler)
		really[net.JoinHostPort(address, "80")] = s
	}
	proxy.Reach = func(address string) (net.Conn, error) {
		to, there := really[address]
		if !there {
			return nil, syscall.ECONNREFUSED
		}
		return net.Dial("tcp", to)
	}
	if err := proxy.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(proxy.Close)
	place, err := vantage.Parse("socks5://" + proxy.Address())
	if err != nil {
		w.t.Fatal(err)
	}
	return place
}

// What is served to this host and not elsewhere is told; what is served elsewhere is served, though
// this host does not reach it; and a place that cannot be used accuses nobody.
func TestSitesAreLookedAtFromAnotherPlace(t *testing.T) {
	const other = "93.184.216.99"
	for _, test := range []struct {
		name    string
		make    func(w *internet)
		refuses bool
		abroad  func(w *internet) map[string]http.Handler
		want    []string
		say     string
	}{
		{name: "served there as well", abroad: func(w *internet) map[string]http.Handler {
			return map[string]http.Handler{home4: http.FileServer(http.Dir(w.dir.Root)), home6: http.FileServer(http.Dir(w.dir.Root))}
		}},
		{name: "refused there", abroad: func(w *internet) map[string]http.Handler {
			return map[string]http.Handler{home4: elsewhere(403), home6: elsewhere(403)}
		}, want: []string{"D48 fails blocked-abroad shop.com", "D48 fails blocked-abroad www.shop.com"}, say: "403"},
		{name: "one name refused there", make: func(w *internet) {
			w.www("A " + other)
			w.web(other, http.FileServer(http.Dir(w.dir.Root)))
		}, abroad: func(w *internet) map[string]http.Handler {
			return map[string]http.Handler{home4: http.FileServer(http.Dir(w.dir.Root)), home6: http.FileServer(http.Dir(w.dir.Root))}
		}, want: []string{"D48 fails blocked-abroad www.shop.com"}, say: "and not to 127.0.0.1:"},
		{name: "that place has no IPv6", abroad: func(w *internet) map[string]http.Handler {
			return map[string]http.Handler{home4: http.FileServer(http.Dir(w.dir.Root))}
		}},
		{name: "nobody is reached from there", abroad: func(w *internet) map[string]http.Handler { return nil },
			want: []string{"D48 doubtful blocked-abroad shop.com", "D48 doubtful blocked-abroad www.shop.com"}, say: "refused"},
		{name: "its rules", refuses: true, abroad: func(w *internet) map[string]http.Handler { return nil },
			want: []string{"D48 note http-unreachable "}, say: "its rules do not let it connect"},
		{name: "behind NAT", make: func(w *internet) { w.www("A " + other) }, abroad: func(w *internet) map[string]http.Handler {
			all := map[string]http.Handler{}
			for _, address := range []string{home4, home6, other} {
				all[address] = http.FileServer(http.Dir(w.dir.Root))
			}
			return all
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newInternet(t)
			if test.make == nil {
				w.www("A "+home4, "AAAA "+home6)
			} else {
				test.make(w)
			}
			proxy := &vantagetest.Proxy{Refuses: test.refuses}
			w.from = w.lookedAtFrom(proxy, test.abroad(w))
			r := w.online()
			if got := shown(r); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q: %+v", got, test.want, r.Findings)
			}
			for _, f := range r.Findings {
				if f.ID == "D48" && (!strings.Contains(f.Sentence, test.say) || f.Remedy == "" || f.Fix != doctor.FixNo) {
					t.Errorf("%q does not say %q", f.Sentence, test.say)
				}
			}
			for _, address := range proxy.Asked() {
				if !strings.HasSuffix(address, ":80") {
					t.Errorf("connected to %s", address)
				}
			}
		})
	}
}

// What is private here is another's there, and never connected to from there.
func TestNothingPrivateIsConnectedToFromAnotherPlace(t *testing.T) {
	w := newInternet(t)
	w.www("A 10.0.0.7", "A "+home4)
	w.check.OwnAddresses = func() ([]net.Addr, error) {
		return []net.Addr{&net.IPNet{IP: net.IPv4(10, 0, 0, 7), Mask: net.CIDRMask(24, 32)}}, nil
	}
	w.web("10.0.0.7", http.FileServer(http.Dir(w.dir.Root)))
	proxy := new(vantagetest.Proxy)
	w.from = w.lookedAtFrom(proxy, map[string]http.Handler{home4: http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		http.Redirect(to, r, "http://inside.shop.com/", http.StatusFound)
	})})
	w.shop.Add("inside A 127.0.0.1", "local A 127.0.0.1")
	w.dir.Others = append(w.dir.Others, "local.shop.com")
	w.online()
	asked := proxy.Asked()
	if len(asked) == 0 || slices.ContainsFunc(asked, func(to string) bool { return to != home4+":80" && to != "["+home6+"]:80" }) {
		t.Errorf("connected to %q", asked)
	}
}
