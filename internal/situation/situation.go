package situation

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/reason"
)

// ID names a situation. It stays the same, so that alike ones can be grouped.
type ID string

// Level says who has to act, and when.
type Level uint8

const (
	Silent  Level = iota // nobody: it is told only of a request that somebody asks about
	Notice               // nobody: it is worth knowing
	Warning              // somebody, in time: clients do not see it, or not yet
	Error                // somebody, now: clients see it
)

// String returns the level's word in the API.
func (l Level) String() string {
	return [...]string{Silent: "silent", Notice: "notice", Warning: "warning", Error: "error"}[l]
}

// Row is what there is to say of a situation. Its texts may have the names of [Facts] in
// braces.
type Row struct {
	ID       ID
	Level    Level         // while it lasts and no client has seen an error from it
	Reason   reason.Reason // the word of the log and the metrics; None = there is none
	Headline string        // a short sentence without a full stop, and without the address
	Cause    string        // sentences: what is behind it
	Do       string        // sentences: the next step; empty = none
	// The same once it is over. An empty Past means that it is not told of any more, an
	// empty CausePast or DoPast that Cause or Do still holds.
	Past, CausePast, DoPast string
}

// Facts fill the gaps in a row's texts.
type Facts struct {
	Pool, Upstream string
	Name           string // host name that an upstream was found under
	Error          string // what was met, in the words of who met it
	File           string
	When           string // a time or a duration
	Status         int    // of an answer
	N, Of          int    // how many of how many
}

// Of returns a situation's row. It panics for an ID that has none.
func Of(id ID) Row {
	i, found := slices.BinarySearchFunc(rows, id, func(r Row, id ID) int { return cmp.Compare(r.ID, id) })
	if !found {
		panic("no situation " + id)
	}
	return rows[i]
}

// Known reports whether there is a row for an ID.
func Known(id ID) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.ID == id })
}

// All returns every row, in order of its ID.
func All() []Row { return slices.Clone(rows) }

// With returns the row with its gaps filled.
func (r Row) With(f Facts) Row {
	fill := strings.NewReplacer("{pool}", f.Pool, "{upstream}", f.Upstream, "{name}", cmp.Or(f.Name, f.Upstream),
		"{error}", f.Error, "{file}", f.File, "{when}", f.When,
		"{status}", strconv.Itoa(f.Status), "{n}", strconv.Itoa(f.N), "{of}", strconv.Itoa(f.Of)).Replace
	for _, s := range []*string{&r.Headline, &r.Cause, &r.Do, &r.Past, &r.CausePast, &r.DoPast} {
		*s = fill(*s)
	}
	return r
}

// Over returns the row as it is told once the situation has passed.
func (r Row) Over() Row {
	r.Headline, r.Cause, r.Do = cmp.Or(r.Past, r.Headline), cmp.Or(r.CausePast, r.Cause), cmp.Or(r.DoPast, r.Do)
	return r
}

// rows is the table, sorted by ID. Never changed.
var rows = sorted(faults, states, pools, process, requests)

func sorted(parts ...[]Row) []Row {
	all := slices.Concat(parts...)
	slices.SortFunc(all, func(a, b Row) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
