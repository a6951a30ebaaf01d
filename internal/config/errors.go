package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// maxErrors bounds a report; nobody reads more.
const maxErrors = 100

// Error is one mistake in a configuration. Line and Column count from 1; 0 means that there is no file.
type Error struct {
	File         string
	Line, Column int
	Path         string // of the key, as in pools.api.upstreams[0].url; empty for the file as a whole
	Message      string
}

// Error returns "goodgate.yaml:12:5: pools.api.polcy: unknown key (did you mean policy?)".
func (e Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	return printable.Text(b.String())
}

// Errors are all mistakes in a configuration, by file and position. As an error it is never empty.
type Errors []Error

// Error returns one line for each mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each [Error] visible to errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// Warning is a setting that works, but hardly as meant. Its fields are those of [Error].
type Warning Error

// String returns the warning in the form of [Error.Error].
func (w Warning) String() string { return Error(w).Error() }

// Sorted orders es by position, drops duplicates from aliases, and keeps at most 100.
func (es Errors) Sorted() Errors {
	slices.SortStableFunc(es, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	es = slices.CompactFunc(es, func(a, b Error) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message && (a.Line > 0 || a.Path == b.Path)
	})
	if len(es) > maxErrors {
		more := es[maxErrors]
		more.Path, more.Message = "", fmt.Sprintf("and %d more", len(es)-maxErrors)
		es = append(es[:maxErrors:maxErrors], more)
	}
	return es
}

// position is a place in the file; the zero value means none.
type position struct {
	line, column int
	inherited    bool // from the defaults of all pools
}

// positions maps each given key to its position.
type positions map[string]position

// given reports whether the file gives the key.
func (ps positions) given(path string) bool {
	_, ok := ps[path]
	return ok
}

// below reports whether the file gives a key within path, valid or not.
func (ps positions) below(path string) bool {
	for at := range ps {
		if strings.HasPrefix(at, path+".") {
			return true
		}
	}
	return false
}

// own reports whether the file gives the key itself, and not as a default of all pools.
func (ps positions) own(path string) bool {
	p, ok := ps[path]
	return ok && !p.inherited
}

// givenAny returns the first of the keys below path that the file gives.
func (ps positions) givenAny(path string, keys ...string) (string, bool) {
	for _, key := range keys {
		if ps.given(join(path, key)) {
			return key, true
		}
	}
	return "", false
}

// ownAny is givenAny without the defaults of all pools.
func (ps positions) ownAny(path string, keys ...string) (string, bool) {
	for _, key := range keys {
		if ps.own(join(path, key)) {
			return key, true
		}
	}
	return "", false
}

// of returns the position of path, or of the nearest given key around it.
func (ps positions) of(path string) position {
	for {
		if p, ok := ps[path]; ok || path == "" {
			return p
		}
		path = parentOf(path)
	}
}

// parentOf returns the path around a key or an entry.
func parentOf(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
