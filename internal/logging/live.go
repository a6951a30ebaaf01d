package logging

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
)

// Next is an open log that is not yet in use. The caller must call either Use or
// Discard.
type Next struct {
	log *Log
	out *output
}

// Prepare opens the log that will replace the present one. Its error is about the file.
func (l *Log) Prepare(o Options) (*Next, error) {
	out, err := l.open(o)
	if err != nil {
		return nil, err
	}
	return &Next{l, out}, nil
}

// Use puts it in the log's place, for the next record. The previous output writes its
// remaining records in the background, and then closes. A nil Next changes nothing.
func (n *Next) Use() {
	if n == nil {
		return
	}
	l := n.log
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.Lock()
	old := l.out
	l.out = n.out
	l.replaced = append(l.replaced, old)
	l.mu.Unlock()
	l.closing.Go(func() {
		if err := old.close(); err != nil {
			l.Warn("old log not closed", "error", err.Error())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		old.addDropped(l.lost)
		l.replaced = slices.DeleteFunc(l.replaced, func(o *output) bool { return o == old })
	})
}

// Discard closes it, unused.
func (n *Next) Discard() {
	if n != nil {
		n.out.close()
	}
}

// live is a handler that passes records to the present output, so that a logger stays
// valid when the output changes.
type live struct {
	log  *Log
	with []func(slog.Handler) slog.Handler // the additions of WithAttrs and WithGroup
	made atomic.Pointer[made]              // the latest handler
}

// made is the handler of one output with the attributes of a live.
type made struct {
	of      *output
	handler slog.Handler
}

// handler returns the handler of the present output. log.mu must be held.
func (h *live) handler() slog.Handler {
	if m := h.made.Load(); m != nil && m.of == h.log.out {
		return m.handler
	}
	m := &made{h.log.out, h.log.out.logger.Handler()}
	for _, add := range h.with {
		m.handler = add(m.handler)
	}
	h.made.Store(m)
	return m.handler
}

func (h *live) Enabled(ctx context.Context, level slog.Level) bool {
	h.log.mu.RLock()
	defer h.log.mu.RUnlock()
	return h.handler().Enabled(ctx, level)
}

func (h *live) Handle(ctx context.Context, r slog.Record) error {
	h.log.mu.RLock()
	defer h.log.mu.RUnlock()
	return h.handler().Handle(ctx, r)
}

func (h *live) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.adding(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h *live) WithGroup(name string) slog.Handler {
	return h.adding(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *live) adding(add func(slog.Handler) slog.Handler) slog.Handler {
	return &live{log: h.log, with: append(slices.Clip(h.with), add)}
}
