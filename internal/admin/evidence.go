package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goodgate/goodgate/internal/situation"
)

// This file turns figures into sentences.

// times says when something happened: once, or from the first to the last time.
func times(first, last, now time.Time, n int) string {
	a, b := clock(first, now), clock(last, now)
	if n == 1 || a == b {
		return "at " + b
	}
	return "from " + a + " to " + b
}

// clock returns the time of day, with the date if it is not today's.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	if d := now.Sub(t); d > 12*time.Hour || d < -12*time.Hour {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format(time.TimeOnly)
}

// number formats a number, and groups the digits of large ones.
func number[N int | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted returns a number with its noun.
func counted[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// lower makes a sentence continue another.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

func inWords(ms float64) string {
	if ms >= 999.5 { // %.3g would write an exponent
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

// most returns the most frequent situation; among equals the first by its ID. A situation
// whose error clients saw comes before all others.
func most(seen sightings) (id situation.ID, s *sighting) {
	for _, other := range slices.Sorted(maps.Keys(seen)) {
		x := seen[other]
		if s == nil || cmp.Or(cmp.Compare(x.escaped, s.escaped), cmp.Compare(x.n, s.n)) > 0 {
			id, s = other, x
		}
	}
	return id, s
}

// attempts says how many attempts on an upstream met a situation, and whether clients
// noticed.
func (m *Minute) attempts(id situation.ID, s *sighting, now time.Time) string {
	verb := "failed this way"
	if id == situation.AnswersError {
		verb = "got this answer"
	}
	text := fmt.Sprintf("%s of %s in the last minute %s%s, %s.", number(s.n), counted(m.Attempts, "attempt"), verb, s.to(), times(s.first, s.last, now, s.n))
	if others := m.Failed - s.n; others > 0 {
		text += fmt.Sprintf(" %s failed in other ways (%s).", number(others), m.otherReasons(id))
	}
	return text + " " + m.noticed("it")
}

// to names the requested path; empty if unknown.
func (x *sighting) to() string {
	switch {
	case x.path == "":
		return ""
	case x.paths:
		return " (the latest for " + x.path + ")"
	case x.n == 1:
		return " for " + x.path
	}
	return ", all for " + x.path
}

// otherReasons lists the other situations.
func (m *Minute) otherReasons(id situation.ID) string {
	var list []string
	for _, other := range slices.Sorted(maps.Keys(m.seen)) {
		if other != id {
			list = append(list, fmt.Sprintf("%s %d", other, m.seen[other].n))
		}
	}
	return strings.Join(list, ", ")
}

// noticed says what clients saw of an upstream's failures.
func (m *Minute) noticed(whom string) string {
	switch {
	case m.Failed == 0:
		return ""
	case m.Escaped == 0:
		return "No client saw an error from " + whom + "."
	case m.Escaped == m.Failed:
		return fmt.Sprintf("Clients saw %s from %s.", counted(m.Escaped, "error"), whom)
	}
	saw := fmt.Sprintf("Clients saw %s from %s", counted(m.Escaped, "error"), whom)
	switch hidden := m.Failed - m.Escaped - m.again; {
	case m.again == 0:
		return saw + ", and the others were hidden."
	case hidden <= 0:
		return saw + "; the other attempts were for the same requests."
	default:
		verb := "were"
		if hidden == 1 {
			verb = "was"
		}
		return fmt.Sprintf("%s; of the other attempts, %s %s hidden, and the rest were for the same requests.", saw, number(hidden), verb)
	}
}

// sentences joins the sentences that are not empty.
func sentences(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}
