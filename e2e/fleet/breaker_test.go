package fleet

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
)

// shared is the shared state of a distributed breaker, in memory.
type shared struct {
	mu   sync.Mutex // protects the fields below
	held map[string]bool
	data map[string][]byte
	asks int
}

var errHeld = errors.New("somebody else has the lock")

func (s *shared) Lock(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	if s.held[name] {
		return errHeld
	}
	s.held[name] = true
	return nil
}

func (s *shared) Unlock(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	delete(s.held, name)
	return nil
}

func (s *shared) GetData(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	return s.data[name], nil
}

func (s *shared) SetData(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks++
	s.data[name] = data
	return nil
}

// TestDistributedBreaker shows why goodgate does not use gobreaker's distributed
// breaker: it admits one request at a time, for all instances together, and queries the
// store several times per request. If a later version is better, this test fails, and
// the decision needs a review.
func TestDistributedBreaker(t *testing.T) {
	store := &shared{held: map[string]bool{}, data: map[string][]byte{}}
	b, err := gobreaker.NewDistributedCircuitBreaker[int](store, gobreaker.Settings{Name: "upstream"})
	if err != nil {
		t.Fatal(err)
	}
	store.asks = 0
	var together, most atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	const requests = 4
	for range requests {
		wg.Go(func() {
			b.Execute(func() (int, error) {
				if n := together.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer together.Add(-1)
				<-time.After(20 * time.Millisecond)
				return 0, nil
			})
		})
	}
	wg.Wait()
	t.Logf("%d requests of 20 ms at once take %v, %d at a time, with %d calls to the store", requests, time.Since(began), most.Load(), store.asks)
	if most.Load() > 1 || store.asks < 3*requests {
		t.Errorf("%d requests ran together, with %d calls to the store", most.Load(), store.asks)
	}
}
