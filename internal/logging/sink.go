package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/proxy"
)

// Kinds of records for an output.
const (
	AllRecords = "all" // same as the empty text
	Requests   = "requests"
	Events     = "events"
)

// otlpPrefix begins the output of an endpoint of OTLP, before its URL.
const otlpPrefix = "otlp+"

// sink is one output of the log.
type sink struct {
	of     Options
	file   *Writer
	events slog.Handler        // nil = it takes no events
	access func(*proxy.Record) // nil = it takes no requests
}

// teller receives notices about an output. Its functions may log.
type teller struct {
	dropped func(int64) // see [WriterOptions]
	trouble func(error) // see [WriterOptions]
	rotate  func(error) // a file could not be moved or compressed
}

// openSink opens the output of o, without those in o.More.
func openSink(o Options, tell teller) (*sink, error) {
	f, err := o.form()
	if err != nil {
		return nil, err
	}
	s := &sink{of: o}
	if s.file, err = open(o, tell); err != nil {
		return nil, err
	}
	if o.isSyslog() {
		frames := newFramer(s.file, o.Syslog)
		s.events, s.access = f(frames)
		s.access = frames.access(s.access)
		if s.events != nil {
			s.events = framed{s.events, frames}
		}
	} else {
		s.events, s.access = f(s.file)
	}
	if o.Records == Requests {
		s.events = nil
	}
	if o.Records == Events {
		s.access = nil
	}
	if s.access != nil {
		s.access = o.Only.filtered(sampled(o.Sample, s.access))
	}
	return s, nil
}

// form creates the functions that write records as lines to an output. Formats with
// room only for requests have no handler.
type form func(io.Writer) (slog.Handler, func(*proxy.Record))

// form returns the form of the options. Its errors are about Format and Fields.
func (o Options) form() (form, error) {
	if o.isOTLP() {
		return o.otlpForm()
	}
	if o.isJournald() {
		return o.journaldForm()
	}
	handler := &slog.HandlerOptions{Level: o.Level}
	edits, err := o.Fields.edits(nil)
	if err != nil {
		return nil, err
	}
	switch format := o.Form(); {
	case format == Human:
		added, err := o.Fields.compile()
		return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
			h := newHuman(w, o)
			h.added = added
			return h, h.access
		}, err
	case format == "common" || format == "combined":
		d := newRedactor(o.Fields.Unredacted)
		return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
			return nil, access(w, o.Level, func(b []byte, r *proxy.Record) []byte { return d.appendAccess(b, r, format == "combined") })
		}, nil
	case format == "text":
		return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
			h := slog.NewTextHandler(printable.Writer{To: w, Form: printable.Record}, handler)
			return h, proxy.Log(slog.New(h), edits...)
		}, nil
	case strings.Contains(format, "$"):
		return o.dollarForm(format)
	}
	return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
		return slog.NewJSONHandler(asJSON(w), handler), proxy.LogJSON(asJSON(w), o.Level, edits...)
	}, nil
}

// dollarForm returns the form of a format of nginx.
func (o Options) dollarForm(format string) (form, error) {
	t, err := parseDollars(format, newRedactor(o.Fields.Unredacted))
	if err != nil {
		return nil, err
	}
	e := escapes[o.Escape]
	if e.append == nil {
		e = escapes["default"]
	}
	safe := printable.Record
	if o.Escape == "json" {
		safe = printable.JSON
	}
	return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
		return nil, access(printable.Writer{To: w, Form: safe}, o.Level, func(b []byte, r *proxy.Record) []byte {
			return append(t.render(b, r, e), '\n')
		})
	}, nil
}

// Check returns an error for an invalid format or invalid fields. A [FieldError] is
// about the fields. hidden has the names of selected headers, cookies and parameters
// whose values are redacted.
func (o Options) Check() (hidden []string, err error) {
	if _, err := o.form(); err != nil {
		return nil, err
	}
	for _, t := range o.templates() {
		hidden = append(hidden, t.hides...)
	}
	slices.Sort(hidden)
	return slices.Compact(hidden), nil
}

// Needs returns the response fields that records must keep for the log.
func (o Options) Needs() (all proxy.ResponseFields) {
	for _, o := range o.all() {
		for _, t := range o.templates() {
			all.Sent = append(all.Sent, t.needs.Sent...)
			all.Upstream = append(all.Upstream, t.needs.Upstream...)
		}
	}
	for _, names := range []*[]string{&all.Sent, &all.Upstream} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return all
}

// templates returns the texts with variables of one output. [Options.Check] reports
// errors in them.
func (o Options) templates() (list []*template) {
	if strings.Contains(o.Format, "$") {
		if t, err := parseDollars(o.Format, newRedactor(o.Fields.Unredacted)); err == nil {
			list = append(list, t)
		}
	}
	added, _ := o.Fields.compile()
	for _, a := range added {
		list = append(list, a.text)
	}
	return list
}

// all returns the options of all outputs, one by one.
func (o Options) all() []Options {
	all := append([]Options{o}, o.More...)
	for i := range all {
		all[i].Version = o.Version
	}
	return all
}

// asJSON makes lines safe to read in a terminal, which JSON alone does not.
func asJSON(w io.Writer) io.Writer { return printable.Writer{To: w, Form: printable.JSON} }

// standard is a standard stream, which the log must not close.
type standard struct{ io.Writer }

func (standard) Close() error { return nil }

// isSyslog reports whether the output is a syslog server.
func (o Options) isSyslog() bool { return strings.HasPrefix(o.Output, syslogPrefix) }

// isOTLP reports whether the output is an endpoint of OTLP.
func (o Options) isOTLP() bool { return strings.HasPrefix(o.Output, otlpPrefix) }

// isServer reports whether the output may wait for a server.
func (o Options) isServer() bool { return o.isSyslog() || o.isOTLP() || o.isJournald() }

// isFile reports whether the output is a file.
func (o Options) isFile() bool {
	return o.Output != "" && o.Output != "stderr" && o.Output != "stdout" && !o.isServer()
}

func open(o Options, tell teller) (*Writer, error) {
	w := WriterOptions{Buffer: o.Buffer, Dropped: tell.dropped, Trouble: tell.trouble}
	switch {
	case o.isOTLP():
		return openOTLP(o, tell), nil
	case o.isJournald():
		return openJournald(o, tell), nil
	case o.isSyslog():
		w.Out, w.Count = newRemote(o.Output, o.Syslog.Newline, o.TLS, w.Trouble), countFrames
		w.Trouble = nil // it waits and reports by itself
	case o.Output == "stdout":
		w.Out = standard{os.Stdout}
	case !o.isFile():
		w.Out = standard{os.Stderr}
	default:
		w.Open = func() (io.WriteCloser, error) {
			return openLogFile(o.Output, o.Rotate, tell.rotate)
		}
		var err error
		if w.Out, err = w.Open(); err != nil {
			return nil, fmt.Errorf("log.output: %w", err)
		}
	}
	return NewWriter(w), nil
}
