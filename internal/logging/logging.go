// Package logging writes the log: its file in the background, and the records
// of requests in the formats that are known from nginx.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/proxy"
)

// Options say what is logged and where.
type Options struct {
	Format string // "auto", "human", "text", "common", "combined", else JSON; see [Options.Form]
	Level  slog.Level
	Output string  // "stdout", "stderr", "" = stderr, else a file name
	Sample float64 // share of the requests that went well that are logged
	Buffer int     // bytes that wait for a slow file at most; 0 = DefaultBuffer
}

// Log is what [Open] opened. [Log.Prepare] opens another, which takes its place
// while it is in use. It is safe for concurrent use.
type Log struct {
	*slog.Logger // for what happens

	closing  sync.WaitGroup // of outputs that were replaced
	changing sync.Mutex     // held while the output is replaced, or its file is

	mu       sync.RWMutex // held for reading while a record is written; protects the fields below
	out      *output
	replaced []*output // still writing what they have
	lost     int64     // records that closed outputs have dropped
}

// output is where records go, and in which form. It is not changed.
type output struct {
	logger *slog.Logger
	access func(*proxy.Record)
	file   *Writer
	events *Writer // nil = they are in file too
}

// Open opens the log. A record is on its way to the file within 200 ms.
//
// The formats common and combined have no room for anything but requests, so
// that what else happens goes to standard error then, as JSON.
func Open(o Options) (*Log, error) {
	l := &Log{}
	l.Logger = slog.New(&live{log: l})
	var err error
	if l.out, err = l.open(o); err != nil {
		return nil, err
	}
	return l, nil
}

// Access writes the record of a request.
func (l *Log) Access(r *proxy.Record) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.out.access(r)
}

// open opens an output. What it drops, the log tells of.
func (l *Log) open(o Options) (*output, error) {
	dropped := func(n int64) {
		l.Warn("log records dropped: the file does not take them as fast as they come", "count", n, "output", o.Output)
	}
	var err error
	out := &output{}
	if out.file, err = open(o, dropped); err != nil {
		return nil, err
	}
	handler := &slog.HandlerOptions{Level: o.Level}
	switch o.Form() {
	case Human:
		h := newHuman(out.file, o)
		out.logger, out.access = slog.New(h), h.access
	case "common", "combined":
		out.events = NewWriter(WriterOptions{Out: standard{os.Stderr}})
		out.logger = slog.New(slog.NewJSONHandler(asJSON(out.events), handler))
		out.access = access(out.file, o.Form() == "combined", o.Level)
	case "text":
		out.logger = slog.New(slog.NewTextHandler(printable.Writer{To: out.file, Form: printable.Record}, handler))
		out.access = proxy.Log(out.logger)
	default:
		out.logger = slog.New(slog.NewJSONHandler(asJSON(out.file), handler))
		out.access = proxy.LogJSON(asJSON(out.file), o.Level)
	}
	out.access = sampled(o.Sample, out.access)
	return out, nil
}

// asJSON makes the lines safe to read in a terminal, which JSON alone is not.
func asJSON(w io.Writer) io.Writer { return printable.Writer{To: w, Form: printable.JSON} }

// Dropped returns how many records were dropped so far.
func (l *Log) Dropped() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := l.lost + l.out.dropped()
	for _, out := range l.replaced {
		n += out.dropped()
	}
	return n
}

func (o *output) dropped() int64 {
	n := o.file.Dropped()
	if o.events != nil {
		n += o.events.Dropped()
	}
	return n
}

// Reopen continues in a new file, after the old one was moved away.
func (l *Log) Reopen() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.RLock()
	out := l.out
	l.mu.RUnlock()
	if err := out.file.Reopen(); err != nil {
		return fmt.Errorf("log.output: %w", err)
	}
	return nil
}

// Close writes what waits. Nobody may log any more.
func (l *Log) Close() error {
	l.closing.Wait()
	l.mu.RLock()
	out := l.out
	l.mu.RUnlock()
	return out.close()
}

// close writes what waits, and closes the files.
func (o *output) close() error {
	err := o.file.Close()
	if o.events != nil {
		o.events.Close()
	}
	return err
}

// standard is a stream that is not ours to close.
type standard struct{ io.Writer }

func (standard) Close() error { return nil }

func open(o Options, dropped func(int64)) (*Writer, error) {
	w := WriterOptions{Buffer: o.Buffer, Dropped: dropped}
	switch o.Output {
	case "", "stderr":
		w.Out = standard{os.Stderr}
	case "stdout":
		w.Out = standard{os.Stdout}
	default:
		w.Open = func() (io.WriteCloser, error) {
			return os.OpenFile(o.Output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
		}
		var err error
		if w.Out, err = w.Open(); err != nil {
			return nil, fmt.Errorf("log.output: %w", err)
		}
	}
	return NewWriter(w), nil
}
