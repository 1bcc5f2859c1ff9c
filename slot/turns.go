package slot

// Turns are by what they are about: locks, ports.

import (
	"context"
	"sync"
)

// Turns is a Turn for each key. The zero Turns is ready.
type Turns struct {
	mu    sync.Mutex
	byKey map[string]*shared
}

// shared is a turn while somebody has or awaits it.
type shared struct {
	turn  Turn
	users int // guarded by Turns.mu
}

// Take waits for the turn of a key as Turn.Take does. Calls of done after the first do nothing.
func (t *Turns) Take(ctx context.Context, key string) (done func(), err error) {
	s := t.join(key)
	back, err := s.turn.Take(ctx)
	if err != nil {
		t.leave(key, s)
		return nil, err
	}
	return sync.OnceFunc(func() {
		back()
		t.leave(key, s)
	}), nil
}

func (t *Turns) join(key string) *shared {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil {
		t.byKey = map[string]*shared{}
	}
	s := t.byKey[key]
	if s == nil {
		s = &shared{turn: NewTurn()}
		t.byKey[key] = s
	}
	s.users++
	return s
}

func (t *Turns) leave(key string, s *shared) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(t.byKey, key)
	}
}
