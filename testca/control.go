package testca

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// heldWait bounds one GET /held.
const heldWait = 60 * time.Second

// Control is an HTTP handler that lets another process do what a test does in-process:
//
//	GET    /truth                the Truth
//	POST   /faults               arms a Fault; "delay" is a duration such as "250ms"
//	DELETE /faults               disarms all
//	GET    /held?timeout=10s     the next request that is held (a Held), or 204 when none comes; at most 60 s
//	POST   /release?id=N         lets held requests go on, all of them without an id
//	POST   /dead?name=N&dead=B   makes a name answer NXDOMAIN, or (dead=false) brings it back
//	POST   /txt?name=N&value=V   adds a TXT record to the test DNS, or (remove=true) removes it
//	POST   /odd                  SetOdd with the Odd in the body, durations in nanoseconds
//	POST   /unpause              a person visits the page that pausing names
//	POST   /advance?by=169h      puts the CA's clock forward
//	GET    /roots                the IssuingRoots
//	POST   /renewal-info?serial=S&start=T&end=T&explanation=URL   SetRenewalInfo, with times as in RFC 3339
//
// It authenticates nobody: it belongs on loopback.
func (c *CA) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /truth", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, c.Truth()) })
	mux.HandleFunc("POST /faults", c.controlInject)
	mux.HandleFunc("GET /roots", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, c.IssuingRoots()) })
	mux.HandleFunc("POST /renewal-info", c.controlRenewalInfo)
	mux.HandleFunc("DELETE /faults", func(http.ResponseWriter, *http.Request) { c.ClearFaults() })
	mux.HandleFunc("GET /held", c.controlHeld)
	mux.HandleFunc("POST /release", c.controlRelease)
	mux.HandleFunc("POST /dead", func(_ http.ResponseWriter, r *http.Request) {
		c.SetDead(r.FormValue("name"), r.FormValue("dead") != "false")
	})
	mux.HandleFunc("POST /txt", c.controlTXT)
	mux.HandleFunc("POST /unpause", func(http.ResponseWriter, *http.Request) { c.Unpause() })
	mux.HandleFunc("POST /odd", c.controlOdd)
	mux.HandleFunc("POST /advance", func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.FormValue("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.Advance(by)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone
}

func (c *CA) controlInject(w http.ResponseWriter, r *http.Request) {
	fault, err := readFault(http.MaxBytesReader(w, r.Body, bodySize))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.Inject(fault)
}

// readFault reads a Fault whose delay is written as people write durations.
func readFault(from io.Reader) (Fault, error) {
	var wire struct {
		Fault
		Delay string `json:"delay"`
	}
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wire); err != nil {
		return Fault{}, fmt.Errorf("the fault: %w", err)
	}
	if wire.Delay != "" {
		var err error
		if wire.Fault.Delay, err = time.ParseDuration(wire.Delay); err != nil {
			return Fault{}, fmt.Errorf("the fault's delay: %w", err)
		}
	}
	return wire.Fault, wire.Fault.check()
}

func (c *CA) controlHeld(w http.ResponseWriter, r *http.Request) {
	wait := heldWait
	if text := r.FormValue("timeout"); text != "" {
		asked, err := time.ParseDuration(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		wait = min(asked, heldWait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case held := <-c.Held():
		writeJSON(w, held)
	case <-timer.C:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	case <-c.ctx.Done():
	}
}

func (c *CA) controlRelease(w http.ResponseWriter, r *http.Request) {
	text := r.FormValue("id")
	if text == "" {
		c.Release()
		return
	}
	id, err := strconv.Atoi(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.Release(id)
}
