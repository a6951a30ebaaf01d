package http1

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
)

// lifetime learns how long the upstream keeps an idle connection, so that this side
// closes first. The zero value knows nothing.
type lifetime struct {
	limit atomic.Int64 // age in nanoseconds at which to close; 0 = unknown

	mu   sync.Mutex // protects the fields below
	said time.Duration
	seen [3]time.Duration // ages at the last closes by the upstream
	n    int
}

// heard learns from the timeout parameter of a Keep-Alive field (RFC 2068, section
// 19.7.1.1), as Node.js and Apache send it.
func (l *lifetime) heard(h *header.Head) {
	if !h.Has(header.KeepAlive) {
		return
	}
	for part := range strings.SplitSeq(h.Get(header.KeepAlive), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "timeout") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
		if err != nil || seconds == 0 {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if d := time.Duration(seconds) * time.Second; l.said != d {
			l.said = d
			l.limit.Store(int64(retireAt(d)))
		}
		return
	}
}

// closed learns from an idle connection that the upstream has closed at an age. Three
// similar ages in a row are a rule. A restart is none: it closes connections of any age.
func (l *lifetime) closed(age time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said > 0 {
		return
	}
	l.seen[l.n%len(l.seen)] = age
	l.n++
	if l.n < len(l.seen) {
		return
	}
	low, high := l.seen[0], l.seen[0]
	for _, a := range l.seen[1:] {
		low, high = min(low, a), max(high, a)
	}
	if high-low <= sweepEvery+low/10 {
		l.limit.Store(int64(retireAt(low)))
	}
}

// within returns the shorter one of the configured age (0 = none) and the learned one.
func (l *lifetime) within(configured time.Duration) time.Duration {
	learned := time.Duration(l.limit.Load())
	if learned == 0 || configured > 0 && configured < learned {
		return configured
	}
	return learned
}

// carefulUnknown is the idle time from which on a request that cannot be sent again gets
// a new connection, while the upstream's limit is unknown. The shortest default of a
// common server is 2 s (gunicorn).
const carefulUnknown = time.Second

// careful returns the idle time within which the upstream is very unlikely to be closing
// a connection.
func (l *lifetime) careful() time.Duration {
	if learned := time.Duration(l.limit.Load()); learned > 0 {
		return learned / 2
	}
	return carefulUnknown
}

// retireAt returns when to close a connection that the upstream closes at age: early
// enough that a request does not cross the close on its way.
func retireAt(age time.Duration) time.Duration {
	return max(min(age*4/5, age-time.Second), age/2)
}
