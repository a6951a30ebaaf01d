package situation

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/reason"
)

// ID identifies a situation. It is stable, so that alike situations can be grouped.
type ID string

// Level decides who must act, and when.
type Level uint8

const (
	Silent  Level = iota // nobody: only the explanation of a request shows it
	Notice               // nobody: for information
	Warning              // the operator, in time: clients do not see it, or not yet
	Error                // the operator, now: clients see it
)

// String returns the level's word in the API.
func (l Level) String() string {
	return [...]string{Silent: "silent", Notice: "notice", Warning: "warning", Error: "error"}[l]
}

// Row describes a situation. Its texts may contain the names of [Facts] in braces.
type Row struct {
	ID       ID
	Level    Level         // during the situation, while no client has seen an error from it
	Reason   reason.Reason // the reason in log and metrics; None = none
	Headline string        // a short sentence without a full stop, and without the address
	Cause    string        // sentences: the cause
	Do       string        // sentences: the next step; empty = none
	// The texts after the situation has ended. An empty Past means that it is then no
	// longer reported. An empty CausePast or DoPast means that Cause or Do still applies.
	Past, CausePast, DoPast string
}

// Facts are the values for the braces in a row's texts.
type Facts struct {
	Pool, Upstream string
	Name           string // a host name, a listener, or routes
	Error          string // text of the error
	File           string
	When           string // a time or a duration
	Status         int    // status of an answer
	N, Of          int    // N of Of
}

// Of returns a situation's row. It panics for an unknown ID.
func Of(id ID) Row {
	i, found := slices.BinarySearchFunc(rows, id, func(r Row, id ID) int { return cmp.Compare(r.ID, id) })
	if !found {
		panic("no situation " + id)
	}
	return rows[i]
}

// Known reports whether an ID has a row.
func Known(id ID) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.ID == id })
}

// All returns every row, in order of its ID.
func All() []Row { return slices.Clone(rows) }

// With returns the row with the facts filled in.
func (r Row) With(f Facts) Row {
	fill := strings.NewReplacer("{pool}", f.Pool, "{upstream}", f.Upstream, "{name}", cmp.Or(f.Name, f.Upstream),
		"{error}", f.Error, "{file}", f.File, "{when}", f.When,
		"{status}", strconv.Itoa(f.Status), "{n}", strconv.Itoa(f.N), "{of}", strconv.Itoa(f.Of)).Replace
	for _, s := range []*string{&r.Headline, &r.Cause, &r.Do, &r.Past, &r.CausePast, &r.DoPast} {
		*s = fill(*s)
	}
	return r
}

// Over returns the row for a situation that has ended.
func (r Row) Over() Row {
	r.Headline, r.Cause, r.Do = cmp.Or(r.Past, r.Headline), cmp.Or(r.CausePast, r.Cause), cmp.Or(r.DoPast, r.Do)
	return r
}

// rows is the table, sorted by ID. It is never changed.
var rows = sorted(faults, states, pools, process, requests)

func sorted(parts ...[]Row) []Row {
	all := slices.Concat(parts...)
	slices.SortFunc(all, func(a, b Row) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
