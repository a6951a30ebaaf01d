// Package logging writes the log: its file in the background, and the records
// of requests in the formats that are known from nginx.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"

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

// Log is what [Open] opened.
type Log struct {
	*slog.Logger                     // for what happens
	Access       func(*proxy.Record) // for requests
	file         *Writer
	events       *Writer // nil = they are in file too
}

// Open opens the log. A record is on its way to the file within 200 ms.
//
// The formats common and combined have no room for anything but requests, so
// that what else happens goes to standard error then, as JSON.
func Open(o Options) (*Log, error) {
	l := &Log{}
	dropped := func(n int64) {
		l.Warn("log records dropped: the file does not take them as fast as they come", "count", n, "output", o.Output)
	}
	var err error
	if l.file, err = open(o, dropped); err != nil {
		return nil, err
	}
	handler := &slog.HandlerOptions{Level: o.Level}
	switch o.Form() {
	case Human:
		h := newHuman(l.file, o)
		l.Logger, l.Access = slog.New(h), h.access
	case "common", "combined":
		l.events = NewWriter(WriterOptions{Out: standard{os.Stderr}})
		l.Logger = slog.New(slog.NewJSONHandler(asJSON(l.events), handler))
		l.Access = access(l.file, o.Form() == "combined", o.Level)
	case "text":
		l.Logger = slog.New(slog.NewTextHandler(printable.Writer{To: l.file, Form: printable.Record}, handler))
		l.Access = proxy.Log(l.Logger)
	default:
		l.Logger = slog.New(slog.NewJSONHandler(asJSON(l.file), handler))
		l.Access = proxy.LogJSON(asJSON(l.file), o.Level)
	}
	l.Access = sampled(o.Sample, l.Access)
	return l, nil
}

// asJSON makes the lines safe to read in a terminal, which JSON alone is not.
func asJSON(w io.Writer) io.Writer { return printable.Writer{To: w, Form: printable.JSON} }

// Dropped returns how many records were dropped so far.
func (l *Log) Dropped() int64 {
	n := l.file.Dropped()
	if l.events != nil {
		n += l.events.Dropped()
	}
	return n
}

// Reopen continues in a new file, after the old one was moved away.
func (l *Log) Reopen() error {
	if err := l.file.Reopen(); err != nil {
		return fmt.Errorf("log.output: %w", err)
	}
	return nil
}

// Close writes what waits. Nobody may log any more.
func (l *Log) Close() error {
	err := l.file.Close()
	if l.events != nil {
		l.events.Close()
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
