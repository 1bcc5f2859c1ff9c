package standalone

import (
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// A port is opened for the first order that needs it and given up with the last one, since it
// belongs to somebody's web server. One order may want a port on every address and another the same
// port on one: the wide door serves both, for the kernel does not let a process have the two.

// What one visitor may take, and how many there may be at once.
const (
	patience     = 5 * time.Second // for a whole request, and for its answer
	mostHeader   = 8 << 10         // bytes
	mostVisitors = 512
)

// Place is where a server listens.
type Place struct {
	Address string // "" for every one of this host
	Port    int
}

// door is a place that the server has opened.
type door struct {
	servers   []*http.Server
	listeners []net.Listener
	whose     names
}

// covering is the open door by which a place is reached, nil if there is none. Whoever calls any
// function of this file holds the lock.
func (s *Server) covering(at Place) *door {
	if d := s.doors[at]; d != nil {
		return d
	}
	return s.doors[Place{Port: at.Port}]
}

// open opens a place, unless it is open. Doors on single addresses of a port give way to one on
// all, and come back where that cannot be had.
func (s *Server) open(at Place) error {
	if s.covering(at) != nil {
		return nil
	}
	narrow := map[Place]*door{}
	for place, d := range s.doors {
		if at.Address == "" && place.Port == at.Port {
			narrow[place] = d
		}
	}
	var errs []error
	for place := range narrow {
		errs = append(errs, s.shut(place))
	}
	whose := names{}
	for _, d := range narrow {
		maps.Copy(whose, d.whose)
	}
	err := s.openFor(at, whose)
	if err == nil {
		return errors.Join(errs...)
	}
	for place, d := range narrow {
		errs = append(errs, s.openFor(place, d.whose))
	}
	return errors.Join(append([]error{err}, errs...)...)
}

func (s *Server) openFor(at Place, whose names) error {
	listeners, err := listen(at)
	if err != nil {
		return err
	}
	d := &door{whose: whose}
	for _, listener := range listeners {
		d.start(listener, s)
	}
	if s.doors == nil {
		s.doors = map[Place]*door{}
	}
	s.doors[at] = d
	return nil
}

// start serves on a listener.
func (d *door) start(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: patience, ReadTimeout: patience,
		WriteTimeout: patience, MaxHeaderBytes: mostHeader,
		// what visitors do wrong is nobody's concern here
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server.SetKeepAlivesEnabled(false) // a visitor that stays keeps others out
	d.servers = append(d.servers, server)
	d.listeners = append(d.listeners, listener)
	// ends with shut
	go func() { _ = server.Serve(netutil.LimitListener(listener, mostVisitors)) }()
}

// leave ends what whom needs, but for one place, and shuts the doors that nobody needs any more.
func (s *Server) leave(whom string, but Place) error {
	kept := s.covering(but)
	var errs []error
	for place, d := range s.doors {
		if d == kept || !d.whose[whom] {
			continue
		}
		if delete(d.whose, whom); len(d.whose) == 0 {
			errs = append(errs, s.shut(place))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) closeAll() error {
	var errs []error
	for place := range s.doors {
		errs = append(errs, s.shut(place))
	}
	return errors.Join(errs...)
}

// shut gives a place up and cuts the visitors off. The listeners are closed here, since a server
// that was only just started may not know of its own yet, and whoever comes next finds the port
// taken.
func (s *Server) shut(at Place) error {
	d := s.doors[at]
	err := closeAll(d.listeners)
	for _, server := range d.servers {
		_ = server.Close() // says again that the listener is closed
	}
	delete(s.doors, at)
	return err
}
