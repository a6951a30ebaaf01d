package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// stopFor is how long a container counts as stopping after a signal to end, if it
	// continues. An application may use the signal for something else.
	stopFor = 2 * time.Minute
	// maxStopping bounds the containers remembered as stopping.
	maxStopping = 1000
	// maxEvent bounds an event, in bytes.
	maxEvent = 1 << 20
)

// dockerEvents listens to events of containers. The zero value and nil have no events.
type dockerEvents struct {
	cancel context.CancelFunc
	done   chan struct{}
	happen chan struct{} // has one element after an event
	failed error         // the error that ended it; read after done

	mu       sync.Mutex
	stopping map[string]time.Time // containers after a signal to end
}

// listen starts to listen, until close, or until the other program ends it. The
// containers in stopping are already known to stop.
func (d *Docker) listen(ctx context.Context, stopping map[string]time.Time) (*dockerEvents, error) {
	filters, err := json.Marshal(map[string][]string{"type": {"container"}, "label": {d.options.Label}})
	if err != nil {
		return nil, err
	}
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel) // while the answer has not begun
	response, err := d.send(streaming, request{method: http.MethodGet, path: eventsPath, query: url.Values{"filters": {string(filters)}}})
	if !stop() { // ctx has ended
		if err == nil {
			response.Body.Close()
		}
		err = ctx.Err()
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = d.refusal(response)
		response.Body.Close()
	}
	if err != nil {
		cancel()
		return nil, because(ctx, fmt.Errorf("listening to events: %w", err))
	}
	e := &dockerEvents{cancel: cancel, done: make(chan struct{}), happen: make(chan struct{}, 1), stopping: stopping}
	go func() {
		defer close(e.done)
		defer response.Body.Close()
		e.failed = e.read(response.Body)
	}()
	return e, nil
}

// close ends the listening, waits for its end, and returns the stopping containers.
func (e *dockerEvents) close() map[string]time.Time {
	if e == nil {
		return map[string]time.Time{}
	}
	e.cancel()
	<-e.done
	return e.stopping
}

// event is the relevant part of an event.
type event struct {
	Action string
	Actor  struct {
		ID         string
		Attributes map[string]string
	}
}

// read reads events until the stream ends.
func (e *dockerEvents) read(stream io.Reader) error {
	bound := &io.LimitedReader{R: stream}
	events := json.NewDecoder(bound)
	for {
		bound.N = maxEvent
		var v event
		if err := events.Decode(&v); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("listening to events: %w", err)
		}
		if e.note(v) {
			select {
			case e.happen <- struct{}{}:
			default:
			}
		}
	}
}

// note reports whether an event may have changed anything.
func (e *dockerEvents) note(v event) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	action, _, _ := strings.Cut(v.Action, ":") // "exec_start: sh", "health_status: healthy"
	switch action {
	case "kill":
		if !endsBy(v.Actor.Attributes["signal"]) || len(e.stopping) >= maxStopping {
			return false
		}
		e.stopping[v.Actor.ID] = time.Now()
	case "die", "died", "start", "destroy", "remove":
		delete(e.stopping, v.Actor.ID)
	case "exec_create", "exec_start", "exec_die", "exec", "top", "attach", "detach", "resize", "copy", "export", "archive-path", "extract-to-dir":
		return false
	}
	return true
}

// endsBy reports whether a signal asks a container to end.
func endsBy(signal string) bool {
	switch strings.TrimPrefix(strings.ToUpper(signal), "SIG") {
	case "15", "TERM", "2", "INT", "3", "QUIT", "9", "KILL":
		return true
	}
	return false
}

// stops reports whether a container has recently received a signal to end.
func (e *dockerEvents) stops(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	since, ok := e.stopping[id]
	if ok && time.Since(since) > stopFor {
		delete(e.stopping, id)
		return false
	}
	return ok
}

// wait returns after an event, or after d. An error means that the listening has ended.
func (e *dockerEvents) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.happen:
		return nil
	case <-timer.C:
		return nil
	case <-e.done:
		return e.failed
	case <-ctx.Done():
		return ctx.Err()
	}
}
