package acme

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	xacme "golang.org/x/crypto/acme"
)

// failing is a row of failed orders of one host.
type failing struct {
	count int
	next  time.Time // time of the next attempt
	why   string    // text of the last failure
	waits string    // why no order is possible now
	apart int       // consecutive failed claims
}

func (f *failing) note(err error) {
	pause := min(firstPause<<min(f.count, 20), maxPause)
	f.count++
	if e, ok := errors.AsType[*xacme.Error](err); ok {
		asked, _ := xacme.RateLimit(e)
		pause = max(pause, min(asked, maxAsked))
	}
	pause += time.Duration(rand.Float64() * float64(pause) / 10)
	f.next = time.Now().Add(pause)
}

// tell logs a failure. If it equals the last one, tell uses the debug level.
func (m *Manager) tell(s *site, f *failing, err error) {
	why, do := explain(err, s.host)
	level := slog.LevelError
	if why == f.why {
		level = slog.LevelDebug
	}
	f.why = why
	message, attrs := "certificate not obtained", []any{
		"host", s.host, "why", why, "do", do, "again_in", time.Until(f.next).Round(time.Second).String(), "error", told(err),
	}
	if c := s.cert.Load(); c != nil {
		message = "certificate not renewed; the one in use stays"
		attrs = append(attrs, "until", c.Leaf.NotAfter)
	}
	m.opts.Log.Log(context.Background(), level, message, attrs...)
}

// wait postpones the next claim of a host.
func (m *Manager) wait(s *site, f *failing, err error) {
	pause := askAgain + time.Duration(s.early*float64(time.Second))
	elsewhere, ok := errors.AsType[*Elsewhere](err)
	if ok {
		f.apart = 0
	} else {
		pause = min(pause<<min(f.apart, 20), maxApart)
		f.apart++
	}
	f.next = time.Now().Add(pause)
	if ok && elsewhere.Again.After(f.next) {
		f.next = elsewhere.Again
	}
	level := slog.LevelWarn
	if ok || f.waits == err.Error() {
		level = slog.LevelDebug
	}
	f.waits = err.Error()
	m.opts.Log.Log(context.Background(), level, "certificate order postponed", "host", s.host, "why", f.waits)
}
