package changes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is the kind of a change.
type Kind string

const (
	Added       Kind = "added"       // Upstream is an additional member of Pool
	Removed     Kind = "removed"     // Upstream is not a member of Pool, although its configuration has it
	State       Kind = "state"       // Upstream is drained or off
	Weight      Kind = "weight"      // Upstream has this weight
	Split       Kind = "split"       // Route has these shares
	Maintenance Kind = "maintenance" // Pool answers with a page
	Pause       Kind = "pause"       // Pool holds its requests
	Deploy      Kind = "deploy"      // Pool is being deployed to
	Fault       Kind = "fault"       // Route has this injected fault; a new process starts without it
)

// parts are the fields of a subject that a kind requires; it has no others.
type parts struct{ pool, upstream, route, fault bool }

var kinds = map[Kind]parts{
	Added:       {pool: true, upstream: true},
	Removed:     {pool: true, upstream: true},
	State:       {pool: true, upstream: true},
	Weight:      {pool: true, upstream: true},
	Split:       {route: true},
	Maintenance: {pool: true},
	Pause:       {pool: true},
	Deploy:      {pool: true},
	Fault:       {route: true, fault: true},
}

// Kinds returns all kinds, in order.
func Kinds() []Kind {
	list := make([]Kind, 0, len(kinds))
	for k := range kinds {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// Subject is the subject of a change. It is comparable: each subject has at most one
// active change.
type Subject struct {
	Kind     Kind   `json:"kind"`
	Pool     string `json:"pool,omitempty"`
	Upstream string `json:"upstream,omitempty"` // host:port or unix:/path; for Added a URL; for Removed also a name and a port
	Route    string `json:"route,omitempty"`
	Fault    string `json:"fault,omitempty"` // delay, abort, cut or throttle
}

// Change is one change by an operator.
type Change struct {
	ID string `json:"id"` // short and unique; set by the Book
	Subject
	Value json.RawMessage `json:"value,omitempty"` // by kind: "drain", 5, {"v1":95,"v2":5}, an object; nil = none
	By    string          `json:"by"`              // the author
	Note  string          `json:"note,omitempty"`  // the client's unverified description of itself, such as its user
	Why   string          `json:"why,omitempty"`
	At    time.Time       `json:"at"`
	Until time.Time       `json:"until,omitzero"` // zero = until somebody ends it
	// Base is the configuration file's value for the subject at the time of the change.
	// If the file has another value later, the file wins and the change ends.
	Base string `json:"base,omitempty"`
}

// Words returns the value for people: drain, or v1 95, v2 5. It leaves out nested values,
// and all of a deploy, whose value is the program's own notes.
func (c Change) Words() string {
	var value any
	d := json.NewDecoder(bytes.NewReader(c.Value))
	d.UseNumber() // keeps the digits
	if c.Kind == Deploy || len(c.Value) == 0 || d.Decode(&value) != nil {
		return ""
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return plain(value)
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if text := plain(fields[name]); text != "" {
			list = append(list, name+" "+text)
		}
	}
	return strings.Join(list, ", ")
}

// plain returns a text, a number, a truth value or a list of them as text; "" for others.
func plain(value any) string {
	switch v := value.(type) {
	case string, json.Number, bool:
		return fmt.Sprint(v)
	case []any:
		var list []string
		for _, one := range v {
			if text := plain(one); text != "" {
				list = append(list, text)
			}
		}
		return strings.Join(list, " ")
	}
	return ""
}

// Limits of a book.
const (
	MaxChanges = 10_000
	MaxValue   = 4 << 10 // bytes
	MaxText    = 1 << 10 // bytes in By, Note, Why, and each part of the subject
	MaxBase    = 4 << 10 // bytes
)

// Reasons for refusing a change. The text of the error has details.
var (
	ErrInvalid = errors.New("invalid change")
	ErrFull    = errors.New("too many changes are in force")
	ErrUnknown = errors.New("no such change is in force")
	ErrFrozen  = errors.New("nothing can be changed now")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// normal returns the change in its stored form. Times lose their monotonic part: they
// must have the same meaning in the next process, and after the machine has slept.
func (c Change) normal() (Change, error) {
	c.At, c.Until = c.At.Round(0).UTC(), c.Until.Round(0).UTC()
	if len(c.Value) > 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, c.Value); err != nil {
			return c, invalid("its value is not JSON: %v", err)
		}
		c.Value = compact.Bytes()
	}
	return c, c.check()
}

// check returns an error for an invalid change, which must be in its normal form. It
// accepts unknown kinds, which a newer build may have written.
func (c Change) check() error {
	for _, part := range []struct {
		name, text string
		most       int
	}{
		{"kind", string(c.Kind), MaxText}, {"pool", c.Pool, MaxText}, {"upstream", c.Upstream, MaxText}, {"route", c.Route, MaxText}, {"fault", c.Fault, MaxText},
		{"by", c.By, MaxText}, {"note", c.Note, MaxText}, {"why", c.Why, MaxText}, {"value", string(c.Value), MaxValue}, {"base", c.Base, MaxBase},
	} {
		if len(part.text) > part.most {
			return invalid("%s has %d bytes, the limit is %d", part.name, len(part.text), part.most)
		}
	}
	want, known := kinds[c.Kind]
	if !known {
		if c.Kind == "" {
			return invalid("it has no kind")
		}
		return nil
	}
	for _, part := range []struct {
		name, text string
		wanted     bool
	}{{"pool", c.Pool, want.pool}, {"upstream", c.Upstream, want.upstream}, {"route", c.Route, want.route}, {"fault", c.Fault, want.fault}} {
		switch {
		case part.wanted && part.text == "":
			return invalid("kind %s needs %s", c.Kind, part.name)
		case !part.wanted && part.text != "":
			return invalid("kind %s takes no %s, found %q", c.Kind, part.name, part.text)
		}
	}
	return nil
}

// Known reports whether this build knows the kind.
func (k Kind) Known() bool {
	_, ok := kinds[k]
	return ok
}

// lasts reports whether a new process adopts the change. An injected fault must not
// survive the process of its test.
func (c Change) lasts() bool { return c.Kind != Fault }

// over reports whether the change has expired.
func (c Change) over(now time.Time) bool { return !c.Until.IsZero() && !now.Before(c.Until) }
