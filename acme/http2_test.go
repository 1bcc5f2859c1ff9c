package acme_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"orderly/acme"
)

// Types and flags of RFC 9113 frames.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway = 0, 1, 3, 4, 7
	flagEnd, flagEndHeaders                                         = 1, 4
	resetProtocolError, resetRefused                                = 1, 7
)

// rawHTTP2 is a CA over bare HTTP/2 frames: it reads each newOrder wholly and then answers it by resetting the stream or
// by leaving, which the server of net/http never does.
type rawHTTP2 struct {
	net.Listener
	spoil func(w io.Writer, stream uint32)

	mu     sync.Mutex
	orders int
}

func newRawHTTP2(t *testing.T, spoil func(io.Writer, uint32)) (*rawHTTP2, *acme.Account) {
	t.Helper()
	certificate, parsed := newCertificate(t, "127.0.0.1")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &rawHTTP2{Listener: l, spoil: spoil}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := acme.New("https://"+l.Addr().String()+"/directory", acme.Options{HTTP: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err := acme.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.FetchNonce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, c.Account(key, "https://"+l.Addr().String()+"/account")
}

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = binary.BigEndian.AppendUint32(append(head, flags), stream)
	return append(head, payload...)
}

func (s *rawHTTP2) serve(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	conn.Write(frame(frameSettings, 0, 0, nil))
	decoder := hpack.NewDecoder(4096, nil)
	paths := map[uint32]string{}
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head)>>8)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if kind == frameSettings && flags == 0 {
			conn.Write(frame(frameSettings, 1, 0, nil))
		}
		if kind == frameHeaders {
			fields, _ := decoder.DecodeFull(payload)
			for _, field := range fields {
				if field.Name == ":path" {
					paths[stream] = field.Value
				}
			}
		}
		if (kind == frameHeaders || kind == frameData) && flags&flagEnd != 0 {
			s.answer(conn, stream, paths[stream])
		}
	}
}

func (s *rawHTTP2) answer(conn net.Conn, stream uint32, path string) {
	if path == "/new-order" {
		s.mu.Lock()
		s.orders++
		s.mu.Unlock()
		s.spoil(conn, stream)
		return
	}
	var head bytes.Buffer
	e := hpack.NewEncoder(&head)
	e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	e.WriteField(hpack.HeaderField{Name: "replay-nonce", Value: fmt.Sprintf("n%d", stream)})
	if path == "/nonce" {
		conn.Write(frame(frameHeaders, flagEndHeaders|flagEnd, stream, head.Bytes()))
		return
	}
	base := "https://" + s.Addr().String()
	body := `{"newNonce":"` + base + `/nonce","newAccount":"` + base + `/new-account","newOrder":"` + base + `/new-order"}`
	conn.Write(append(frame(frameHeaders, flagEndHeaders, stream, head.Bytes()), frame(frameData, flagEnd, stream, []byte(body))...))
}

// TestAStreamThatWasResetIsNotSentAgain holds against net/http, which takes a reset stream, and one that a leaving server
// disowned, for a request it may repeat: the order would be made twice where a proxy resets after passing it on.
func TestAStreamThatWasResetIsNotSentAgain(t *testing.T) {
	for name, spoil := range map[string]func(io.Writer, uint32){
		"PROTOCOL_ERROR": func(w io.Writer, stream uint32) {
			w.Write(frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, resetProtocolError)))
		},
		"REFUSED_STREAM": func(w io.Writer, stream uint32) {
			w.Write(frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, resetRefused)))
		},
		"GOAWAY": func(w io.Writer, stream uint32) {
			w.Write(frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint64(nil, uint64(stream-2)<<32)))
		},
	} {
		s, a := newRawHTTP2(t, spoil)
		_, err := newOrder(t.Context(), a)
		perhaps(t, err)
		s.mu.Lock()
		if s.orders != 1 {
			t.Errorf("%s: the CA got newOrder %d times", name, s.orders)
		}
		s.mu.Unlock()
	}
}
