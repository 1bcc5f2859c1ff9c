package acme_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly/acme"
)

// certainly says that a request was not sent, and nothing else.
func certainly(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(*acme.NotSent); !ok || isA[*acme.Lost](err) {
		t.Errorf("want NotSent, got %T: %v", err, err)
	}
}

// perhaps says that a request may have been sent, and nothing else.
func perhaps(t *testing.T, err error) {
	t.Helper()
	if _, ok := err.(*acme.Lost); !ok || isA[*acme.NotSent](err) {
		t.Errorf("want Lost, got %T: %v", err, err)
	}
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// transport is a transport of the fake CA's own kind whose dialling a test can watch.
func (ca *fakeCA) transport(dial func(context.Context, string, string) (net.Conn, error)) func(*acme.Options) {
	tr := ca.Client().Transport.(*http.Transport).Clone()
	tr.DialContext = dial
	return func(o *acme.Options) { o.HTTP = &http.Client{Transport: tr} }
}

func TestARefusedConnectionMeansNotSent(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.Close()
	ca.Client().CloseIdleConnections()
	_, err := newOrder(t.Context(), a)
	certainly(t, err)
	if !strings.HasPrefix(err.Error(), "new-order was not sent: ") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("text %q", err)
	}
}

func TestAFailedHandshakeMeansNotSent(t *testing.T) {
	var impostor atomic.Pointer[tls.Config]
	ca := newFakeCA(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return impostor.Load(), nil }}
	})
	_, a := ca.ready(t)
	certificate, _ := newCertificate(t, "127.0.0.1")
	impostor.Store(&tls.Config{Certificates: []tls.Certificate{certificate}})
	ca.Client().CloseIdleConnections()
	_, err := newOrder(t.Context(), a)
	certainly(t, err)
	if ca.count("/new-order") != 0 {
		t.Error("the impostor was told the order")
	}
}

func TestAServerThatNeverShakesHandsMeansNotSent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c, err := acme.New("https://"+silent.Addr().String()+"/directory", acme.Options{HTTP: http.DefaultClient, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Directory(t.Context())
	certainly(t, err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAConnectionCutAfterTheRequestMeansLostAndNoSecondRequest(t *testing.T) {
	for _, fresh := range []bool{true, false} {
		ca := newFakeCA(t)
		_, a := ca.ready(t)
		if fresh {
			ca.Client().CloseIdleConnections()
		}
		ca.on("/new-order", cut)
		_, err := newOrder(t.Context(), a)
		perhaps(t, err)
		if n := ca.count("/new-order"); n != 1 {
			t.Errorf("fresh connection %v: the CA got %d requests", fresh, n)
		}
	}
}

func TestHTTP2TellsLostAsWell(t *testing.T) {
	ca := newFakeCA(t, func(s *httptest.Server) { s.EnableHTTP2 = true })
	_, a := ca.ready(t)
	protocol := ""
	ca.on("/order/1", func(w http.ResponseWriter, r *http.Request) {
		protocol = r.Proto
		io.WriteString(w, ca.order("valid"))
	})
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil || protocol != "HTTP/2.0" {
		t.Fatalf("%s, %v", protocol, err)
	}
	ca.on("/new-order", cut)
	_, err := newOrder(t.Context(), a)
	perhaps(t, err)
	if n := ca.count("/new-order"); n != 1 {
		t.Errorf("the CA got %d requests", n)
	}
	ca.Close()
	ca.Client().CloseIdleConnections()
	_, err = newOrder(t.Context(), a)
	certainly(t, err)
}

// watched tells when net/http has closed it.
type watched struct {
	net.Conn
	closed func()
}

func (w *watched) Close() error {
	defer w.closed()
	return w.Conn.Close()
}

func TestAnIdleConnectionThatTheServerClosedCostsNothing(t *testing.T) {
	ca := newFakeCA(t)
	noticed := make(chan struct{})
	var once sync.Once
	var dialled atomic.Int32
	_, a := ca.ready(t, ca.transport(func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &watched{conn, func() { once.Do(func() { close(noticed) }) }}, err
	}))
	ca.CloseClientConnections()
	<-noticed
	if _, err := newOrder(t.Context(), a); err != nil {
		t.Error(err)
	}
	if n := ca.count("/new-order"); n != 1 || dialled.Load() != 2 {
		t.Errorf("the CA got %d requests over %d connections", n, dialled.Load())
	}
}

func TestAContextThatEndedBeforeTheRequestMeansNotSent(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	reason := errors.New("SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	_, err := newOrder(ctx, a)
	certainly(t, err)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	_, err = ca.client(t).Directory(ctx)
	certainly(t, err)
	if ca.count("/new-order") != 0 || c.Nonces() > 1 {
		t.Error("something was sent")
	}
}

func TestAContextThatEndsWhileConnectingMeansNotSent(t *testing.T) {
	ca := newFakeCA(t)
	ctx, cancel := context.WithCancel(t.Context())
	connecting := false
	tr := ca.transport(func(dialling context.Context, network, addr string) (net.Conn, error) {
		if connecting {
			cancel()
			<-dialling.Done()
			return nil, dialling.Err()
		}
		return (&net.Dialer{}).DialContext(dialling, network, addr)
	})
	var o acme.Options
	tr(&o)
	_, a := ca.ready(t, tr)
	o.HTTP.CloseIdleConnections()
	connecting = true
	_, err := newOrder(ctx, a)
	certainly(t, err)
	if !errors.Is(err, context.Canceled) || ca.count("/new-order") != 0 {
		t.Errorf("%d requests, %v", ca.count("/new-order"), err)
	}
}

func TestAContextThatEndsWhileWaitingMeansLost(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	ca.on("/new-order", func(http.ResponseWriter, *http.Request) {
		cancel()
		<-release
	})
	_, err := newOrder(ctx, a)
	perhaps(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTimeRunningOutMeansLost(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t, func(o *acme.Options) { o.Timeout = 500 * time.Millisecond })
	release := make(chan struct{})
	defer close(release)
	ca.on("/new-order", func(http.ResponseWriter, *http.Request) { <-release })
	_, err := newOrder(t.Context(), a)
	perhaps(t, err)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 500ms") {
		t.Errorf("got %v", err)
	}
	ca.on("/order/1", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"status":`)
		w.(http.Flusher).Flush()
		<-release
	})
	_, err = a.Order(t.Context(), ca.URL+"/order/1")
	perhaps(t, err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in the body: %v", err)
	}
}

func TestASuccessThatCannotBeUsedIsLost(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", ca.URL+"/order/1")
		w.Header().Set("Content-Length", "4000")
		w.WriteHeader(201)
		io.WriteString(w, ca.order("pending"))
	}
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		location string
	}{
		"no Location":        {ca.located(201, "", `{"status":"pending","identifiers":[{"type":"dns","value":"a.example"}]}`), ""},
		"cut JSON":           {ca.located(201, "/order/1", ca.order("pending")[:60]), ca.URL + "/order/1"},
		"cut body":           {short, ca.URL + "/order/1"},
		"no body":            {ca.located(201, "/order/1", ""), ca.URL + "/order/1"},
		"HTML":               {ca.located(200, "/order/1", "<html>"), ca.URL + "/order/1"},
		"another object":     {ca.located(201, "/order/1", ca.account()), ca.URL + "/order/1"},
		"null":               {ca.located(201, "/order/1", "null"), ca.URL + "/order/1"},
		"too long":           {ca.located(201, "/order/1", ca.order("pending")+strings.Repeat(" ", acme.BodyLimit)), ca.URL + "/order/1"},
		"no content":         {ca.located(204, "/order/1", ""), ca.URL + "/order/1"},
		"a useless Location": {func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", "data:x") }, ""},
	} {
		ca.on("/new-order", c.answer)
		_, err := newOrder(t.Context(), a)
		perhaps(t, err)
		lost, _ := errors.AsType[*acme.Lost](err)
		if lost == nil || lost.Reply.Status/100 != 2 || lost.Location != c.location {
			t.Errorf("%s: %+v", name, lost)
		}
	}
	for path, try := range map[string]func() error{
		"/new-account": func() error { _, err := c.NewAccount(t.Context(), ca.key, acme.Registration{}); return err },
		"/account/1":   func() error { _, err := a.Fetch(t.Context()); return err },
		"/orders":      func() error { _, err := a.Orders(t.Context(), ca.URL+"/orders"); return err },
		"/order/1":     func() error { _, err := a.Order(t.Context(), ca.URL+"/order/1"); return err },
		"/authz/1":     func() error { _, err := a.Authorization(t.Context(), ca.URL+"/authz/1"); return err },
		"/chall/1":     func() error { _, err := a.Respond(t.Context(), ca.URL+"/chall/1"); return err },
		"/finalize/1":  func() error { _, err := a.Finalize(t.Context(), ca.URL+"/finalize/1", nil); return err },
		"/cert/1":      func() error { _, err := a.Certificate(t.Context(), ca.URL+"/cert/1"); return err },
	} {
		for _, body := range []string{"", "{", "{}", "[]", "<html>", strings.Repeat("x", acme.BodyLimit+1)} {
			if path == "/orders" && body == "[]" { // an empty list
				continue
			}
			if path == "/orders" && body == "[]" { // an empty list
				continue
			}
			ca.on(path, ca.located(200, "/x", body))
			perhaps(t, try())
		}
	}
	if c.Nonces() != 1 {
		t.Errorf("an unusable answer brings a nonce all the same; %d at hand", c.Nonces())
	}
}

func TestAProblemWhoseBodyIsCutIsStillAProblem(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/new-order", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Content-Length", "4000")
		w.WriteHeader(403)
		io.WriteString(w, `{"type":"urn:ietf:params:acme:error:badNonce"}`)
	})
	_, err := newOrder(t.Context(), a)
	if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != 403 || p.Document || ca.count("/new-order") != 1 {
		t.Errorf("got %v after %d requests", err, ca.count("/new-order"))
	}
}

// untraced is a transport that tells nothing of what it does.
type untraced struct{}

func (untraced) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func TestATransportThatTellsNothingMeansLost(t *testing.T) {
	c, err := acme.New("https://ca.example/directory", acme.Options{HTTP: &http.Client{Transport: untraced{}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Directory(t.Context())
	perhaps(t, err)
	if !strings.HasSuffix(err.Error(), ": the connection was closed before the whole answer had come") {
		t.Errorf("not in words: %v", err)
	}
}

func TestWhatFailedIsObserved(t *testing.T) {
	ca := newFakeCA(t)
	var seen []acme.Exchange
	_, a := ca.ready(t, func(o *acme.Options) { o.Observe = func(_ context.Context, e acme.Exchange) { seen = append(seen, e) } })
	ca.on("/new-order", cut)
	newOrder(t.Context(), a)
	ca.on("/order/1", ca.located(200, "", strings.Repeat("x", acme.BodyLimit+1)))
	a.Order(t.Context(), ca.URL+"/order/1")
	lost := 0
	for _, e := range seen {
		if isA[*acme.Lost](e.Err) {
			lost++
		}
	}
	if lost != 2 {
		t.Errorf("saw %+v", seen)
	}
}
