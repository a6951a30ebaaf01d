// Package logging writes the log: its outputs in the background, and the records of
// requests also in nginx's formats. It redacts values whose names look like secrets.
package logging

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"

	"github.com/goodgate/goodgate/proxy"
)

// Options configure the content and the outputs of the log.
type Options struct {
	Format string // "auto", "human", "text", "common", "combined", a text with variables of nginx such as "$status $request", else JSON; see [Options.Form]
	Escape string // escaping of values in a text with variables: "default", "json" or "none", as in nginx; empty = "default"
	Level  slog.Level
	// Output is "stdout", "stderr", "" = stderr, a server of syslog such as
	// "syslog+udp://host:514", or with tcp, tls and unix, an endpoint of OTLP such as
	// "otlp+http://host:4318", "journald", else a file name.
	Output string
	Rotate Rotate // rotation of a file
	Syslog Syslog
	OTLP   OTLP
	TLS    *tls.Config // of an output that has TLS
	Sample float64     // share of the successful requests to log
	Buffer int         // limit on the bytes that wait for a slow file; 0 = DefaultBuffer
	Fields Fields      // changes of a request's record, in JSON and text; [Human] has those that are added

	Records string // AllRecords, Requests or Events
	Only    Only   // the requests to log, before Sample
	Name    string // the name for Routes
	Chosen  bool   // gets only the requests of routes that choose it

	Version string // of goodgate, for OTLP; that of the first output is for all

	// More has further outputs, without More and Routes.
	More []Options
	// Routes has the outputs, by Name, for the requests of routes with their own
	// choice; an empty list means none.
	Routes map[string][]string
}

// OTLP configures how to send records to an endpoint of OTLP over HTTP.
type OTLP struct {
	Headers  map[string]string // for the endpoint, such as a key
	Gzip     bool              // compress what is sent
	Service  string            // service.name
	Instance string            // service.instance.id; empty = the host's name
}

// Log is an open log. [Log.Prepare] opens another one, which replaces it while it is in
// use. It is safe for concurrent use.
type Log struct {
	*slog.Logger // for events

	closing  sync.WaitGroup // of replaced outputs
	changing sync.Mutex     // held while the output or its file is replaced

	mu       sync.RWMutex // held for reading while a record is written; protects the fields below
	out      *output
	replaced []*output        // still writing their last records
	lost     map[string]int64 // records dropped by closed outputs, by name
}

// output is a complete set of outputs with their formats. It is immutable.
type output struct {
	logger *slog.Logger
	access func(*proxy.Record)
	sinks  []*sink
}

// Open opens the log. A record is written within 200 ms.
//
// nginx's formats have room only for requests. Events that no output accepts go to
// standard error as JSON.
func Open(o Options) (*Log, error) {
	l := &Log{lost: map[string]int64{}}
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

// open opens the outputs. The log reports the records that they drop.
func (l *Log) open(o Options) (*output, error) {
	out := &output{}
	var handlers []slog.Handler // handlers of outputs for events
	for _, o := range o.all() {
		s, err := openSink(o, teller{
			dropped: func(n int64) {
				l.Warn("log records dropped: the output was too slow or failed", "count", n, "output", o.Output, "name", o.Name)
			},
			trouble: func(err error) { l.trouble(o, err) },
			rotate: func(err error) {
				l.Error("log file not rotated: the current file stays in use", "output", o.Output, "error", err.Error())
			},
		})
		if err != nil {
			out.close()
			return nil, err
		}
		out.sinks = append(out.sinks, s)
		if s.events != nil {
			handlers = append(handlers, s.events)
		}
	}
	if len(handlers) == 0 {
		rest := &sink{of: Options{Name: "stderr"}, file: NewWriter(WriterOptions{Out: standard{os.Stderr}})}
		out.sinks = append(out.sinks, rest)
		handlers = []slog.Handler{slog.NewJSONHandler(asJSON(rest.file), &slog.HandlerOptions{Level: o.Level})}
	}
	out.logger = slog.New(handlers[0])
	if len(handlers) > 1 {
		out.logger = slog.New(slog.NewMultiHandler(handlers...))
	}
	out.access = out.route(o.Routes)
	return out, nil
}

// trouble logs that an output has begun to fail, or works again. The output may be the
// only one for events, so the message also goes to standard error.
func (l *Log) trouble(o Options, err error) {
	if err == nil {
		l.Info("log output works again", "output", o.Output, "name", o.Name)
		return
	}
	l.Error("log output fails: goodgate continues, and counts the lost records", "output", o.Output, "name", o.Name, "error", err.Error())
	if o.Records != Requests && (o.isFile() || o.isServer()) {
		slog.New(slog.NewJSONHandler(asJSON(os.Stderr), nil)).Error("log output fails", "output", o.Output, "name", o.Name, "error", err.Error())
	}
}

// Dropped returns the number of records dropped so far.
func (l *Log) Dropped() (n int64) {
	for _, of := range l.DroppedBy() {
		n += of
	}
	return n
}

// DroppedBy returns the number of records dropped so far, by the names of outputs.
func (l *Log) DroppedBy() map[string]int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := maps.Clone(l.lost)
	l.out.addDropped(all)
	for _, out := range l.replaced {
		out.addDropped(all)
	}
	return all
}

func (o *output) addDropped(to map[string]int64) {
	for _, s := range o.sinks {
		to[s.of.Name] += s.file.Dropped()
	}
}

// Reopen continues in a new file, after the old one was moved away.
func (l *Log) Reopen() error {
	l.changing.Lock()
	defer l.changing.Unlock()
	l.mu.RLock()
	out := l.out
	l.mu.RUnlock()
	var errs []error
	for _, s := range out.sinks {
		if err := s.file.Reopen(); err != nil {
			errs = append(errs, fmt.Errorf("log.output: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Close writes the remaining records. The log must not be used any more.
func (l *Log) Close() error {
	l.closing.Wait()
	l.mu.RLock()
	out := l.out
	l.mu.RUnlock()
	return out.close()
}

// close writes the remaining records, and closes the files, all at the same time.
func (o *output) close() error {
	for _, s := range o.sinks {
		s.file.report() // while the others still accept records
	}
	errs := make([]error, len(o.sinks))
	var closing sync.WaitGroup
	for i, s := range o.sinks {
		closing.Go(func() { errs[i] = s.file.Close() })
	}
	closing.Wait()
	return errors.Join(errs...)
}
