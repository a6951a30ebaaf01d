package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// kubeEvent is an event of a watch.
type kubeEvent struct {
	Type   string
	Object json.RawMessage
}

// kubeWatch is an open watch. nil means none.
type kubeWatch struct {
	cancel context.CancelFunc
	events chan kubeEvent // closed at the end
	failed error          // the error that ended it, nil if none; read after events is closed
}

// open starts a watch at the version of the slices. It lasts until close, until the API
// server ends it, or until that is overdue, because a dead connection would deliver
// nothing.
func (k *Kubernetes) open(ctx context.Context) error {
	last := k.options.Wait - rand.N(k.options.Wait/4)
	streaming, cancel := context.WithTimeout(context.WithoutCancel(ctx), last+k.slack)
	stop := context.AfterFunc(ctx, cancel) // while the answer has not begun
	response, err := k.send(streaming, request{method: http.MethodGet, path: k.path(), query: k.query("watch", "true", "allowWatchBookmarks", "true",
		"resourceVersion", k.version, "timeoutSeconds", strconv.Itoa(max(int(last.Seconds()), 1)))})
	if !stop() { // ctx has ended
		if err == nil {
			response.Body.Close()
		}
		err = ctx.Err()
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = k.refusal(response)
		response.Body.Close()
	}
	if err != nil {
		cancel()
		return because(ctx, fmt.Errorf("watching: %w", k.explain(err)))
	}
	w := &kubeWatch{cancel: cancel, events: make(chan kubeEvent)}
	go func() {
		defer close(w.events)
		defer response.Body.Close()
		w.failed = w.read(streaming, response.Body)
	}()
	k.watch = w
	return nil
}

// read passes events on until the stream ends.
func (w *kubeWatch) read(ctx context.Context, stream io.Reader) error {
	bound := &io.LimitedReader{R: stream}
	events := json.NewDecoder(bound)
	for {
		bound.N = maxAnswer
		var e kubeEvent
		err := events.Decode(&e)
		if bound.N <= 0 {
			return fmt.Errorf("an event has more than the limit of %d bytes", maxAnswer)
		}
		if _, wrong := errors.AsType[*json.SyntaxError](err); wrong {
			return fmt.Errorf("watching: %w", err)
		}
		if _, wrong := errors.AsType[*json.UnmarshalTypeError](err); wrong {
			return fmt.Errorf("watching: %w", err)
		}
		if err != nil {
			return nil // the connection ended in the middle of an event, which the next watch repeats
		}
		select {
		case w.events <- e:
		case <-ctx.Done():
			return nil
		}
	}
}

// close ends a watch, and waits for its end.
func (w *kubeWatch) close() {
	if w == nil {
		return
	}
	w.cancel()
	for range w.events {
	}
}

// follow waits until the slices have changed, or the watch has ended, and collects
// immediate further changes.
func (k *Kubernetes) follow(ctx context.Context) (changed bool, err error) {
	if k.watch == nil {
		if err := k.open(ctx); err != nil {
			return false, err
		}
	}
	var settled <-chan time.Time
	for {
		select {
		case e, ok := <-k.watch.events:
			if !ok {
				err := k.watch.failed
				k.watch.close()
				k.watch = nil
				return changed, err
			}
			took, err := k.take(e)
			if err != nil {
				return false, err
			}
			if took && !changed {
				changed = true
				timer := time.NewTimer(settle)
				defer timer.Stop()
				settled = timer.C
			}
		case <-settled:
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// take applies an event. An error ends the watch.
func (k *Kubernetes) take(e kubeEvent) (changed bool, err error) {
	if e.Type == "ERROR" {
		var s struct {
			Code            int
			Message, Reason string
		}
		if err := decode(e.Object, &s); err != nil {
			return false, err
		}
		if s.Reason == "Expired" || s.Reason == "Gone" {
			s.Code = http.StatusGone
		}
		return false, fmt.Errorf("watching: %w", &refused{status: s.Code, said: said(e.Object)})
	}
	var o sliceObject
	if err := decode(e.Object, &o); err != nil {
		return false, err
	}
	if o.Metadata.ResourceVersion == "" {
		return false, errors.New("watching: an event has no resourceVersion")
	}
	switch e.Type {
	case "ADDED", "MODIFIED":
		err = put(k.slices, &o)
		changed = true
	case "DELETED":
		changed = k.slices[o.Metadata.Name] != nil
		delete(k.slices, o.Metadata.Name)
	case "BOOKMARK":
	default:
		return false, nil // from a later version of the API
	}
	k.version = o.Metadata.ResourceVersion
	return changed, err
}
