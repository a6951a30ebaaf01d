package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/proxy"
)

// Human is the format for a terminal: a short line per record, without fields that only
// programs need.
const Human = "human"

// Form returns the format. For "auto" it is [Human] on a terminal, else JSON.
func (o Options) Form() string {
	switch {
	case o.Format != "auto":
		return o.Format
	case o.terminal():
		return Human
	}
	return "json"
}

// terminal reports whether the output is a terminal.
func (o Options) terminal() bool {
	switch o.Output {
	case "", "stderr":
		return term.IsTerminal(os.Stderr.Fd())
	case "stdout":
		return term.IsTerminal(os.Stdout.Fd())
	}
	return false
}

// humanHandler writes records in the format [Human]. It is safe for concurrent use if
// its writer is.
type humanHandler struct {
	out    io.Writer // gets one line per call
	level  slog.Level
	colour bool
	attrs  []slog.Attr // attributes of every record
	group  string      // prefix of keys
	added  []added     // additional fields of requests
}

// newHuman has colours on a terminal, unless NO_COLOR is set (no-color.org).
func newHuman(out io.Writer, o Options) *humanHandler {
	colour := o.terminal() && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return &humanHandler{out: out, level: o.Level, colour: colour}
}

func (h *humanHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *humanHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Concat(h.attrs, prefixed(h.group, attrs))
	return &next
}

func (h *humanHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group = h.group + name + "."
	return &next
}

func prefixed(group string, attrs []slog.Attr) []slog.Attr {
	list := slices.Clone(attrs)
	for i := range list {
		list[i].Key = group + list[i].Key
	}
	return list
}

// Handle writes the event, its place, the details, and the error.
func (h *humanHandler) Handle(_ context.Context, r slog.Record) error {
	var own []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		own = append(own, a)
		return true
	})
	kind := ""
	if r.Level != slog.LevelInfo {
		kind = strings.ToLower(r.Level.String())
	}
	return h.line(r.Time, kind, colourOf(r.Level), eventText(r.Message, slices.Concat(h.attrs, prefixed(h.group, own))))
}

// eventText is an event on one line.
func eventText(message string, attrs []slog.Attr) string {
	var where, details, failure string
	for _, a := range attrs {
		switch value := worth(a.Value); {
		case value == "":
		case a.Key == "pool" || a.Key == "upstream" || a.Key == "listener" || a.Key == "address":
			where += " " + value
		case a.Key == "error":
			failure = ": " + value
		default:
			details += " " + a.Key + "=" + value
		}
	}
	if where+details != "" {
		message += " " + where + details
	}
	return message + failure
}

// worth returns a value as text, "" if it has no information.
func worth(v slog.Value) string {
	switch v = v.Resolve(); v.Kind() {
	case slog.KindBool:
		if !v.Bool() {
			return ""
		}
	case slog.KindFloat64:
		return strconv.FormatFloat(v.Float64(), 'g', 4, 64)
	case slog.KindTime:
		return v.Time().Local().Format(time.TimeOnly)
	case slog.KindAny:
		if list, ok := v.Any().([]string); ok {
			return "[" + strings.Join(list, ", ") + "]"
		}
	}
	return v.String()
}

// access writes a request: the request line, the result and the upstream, and failures
// on the way.
func (h *humanHandler) access(r *proxy.Record) {
	level := r.Level()
	if level < h.level {
		return
	}
	text := fmt.Sprintf("%-4s %-28s %9s  %s", r.Method, shortened(r.Path), inWords(r.Duration), r.Upstream)
	var notes []string
	if r.Reason != reason.None {
		note := r.Reason.String()
		if text := strings.TrimSuffix(r.Reason.Text(), "."); text != "" {
			note += ": " + text
		}
		notes = append(notes, note)
	}
	switch {
	case r.Hidden != reason.None:
		notes = append(notes, "hidden by "+r.Absorbed.String()+": "+r.Hidden.String())
	case r.Absorbed != reason.ByNothing:
		notes = append(notes, "made faster by "+r.Absorbed.String())
	}
	if r.Held > 0 {
		notes = append(notes, "waited "+inWords(r.Held)+" for an upstream")
	}
	if r.Paused > 0 {
		notes = append(notes, "waited "+inWords(r.Paused)+" while its pool was paused")
	}
	for _, a := range appendAdded(nil, h.added, r) {
		notes = append(notes, a.String())
	}
	if r.Reason != reason.None {
		notes = append(notes, "goodgate why "+r.ID)
	}
	if len(notes) > 0 {
		text += "  " + strings.Join(notes, "; ")
	}
	colour := ""
	switch {
	case level > slog.LevelInfo:
		colour = red
	case r.Hidden != reason.None:
		colour = yellow
	}
	h.line(r.Start.Add(r.Duration), strconv.Itoa(r.Status), colour, text)
}

const (
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
	faint   = "\x1b[2m"
	plainly = "\x1b[m"
)

func colourOf(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return red
	case l >= slog.LevelWarn:
		return yellow
	case l < slog.LevelInfo:
		return faint
	}
	return ""
}

// line writes a record. Only text may contain characters from outside.
func (h *humanHandler) line(at time.Time, kind, colour, text string) error {
	kind = fmt.Sprintf("%-5s", kind)
	clock := at.Local().Format(time.TimeOnly)
	if h.colour {
		clock = faint + clock + plainly
		if colour != "" {
			kind = colour + kind + plainly
		}
	}
	_, err := io.WriteString(h.out, clock+"  "+kind+"  "+printable.Text(strings.TrimRight(text, " "))+"\n")
	return err
}

// shortened shortens a long path, so that the rest of the line stays visible.
func shortened(path string) string {
	const most = 60
	if r := []rune(path); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return path
}

// inWords rounds a time for a reader.
func inWords(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
