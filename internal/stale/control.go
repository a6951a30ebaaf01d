package stale

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// control is the parsed Cache-Control of a response or a request.
type control struct {
	noStore, noCache, private, public, revalidate bool

	onlyCached bool // of a request

	maxAge, sMaxAge, ifError, whileAsked, minFresh time.Duration // absent = none
}

// none means that a time is absent.
const none time.Duration = -1

// parseControl parses Cache-Control fields (RFC 9111 section 5.2). It gives anything
// invalid the most restrictive meaning.
func parseControl(fields []string) control {
	c := control{maxAge: none, sMaxAge: none, ifError: none, whileAsked: none, minFresh: none}
	for _, field := range fields {
		for field != "" {
			var name, value string
			var ok bool
			if name, value, field, ok = cutDirective(field); !ok {
				c.noStore = true
			}
			c.take(strings.ToLower(name), value)
		}
	}
	return c
}

func (c *control) take(name, value string) {
	switch name {
	case "no-store":
		c.noStore = true
	case "no-cache": // with field names it forbids less, but the distinction is not worthwhile
		c.noCache = true
	case "private":
		c.private = true
	case "public":
		c.public = value == "" // public="X" has no defined meaning
	case "must-revalidate", "proxy-revalidate":
		c.revalidate = true
	case "max-age":
		c.maxAge = least(c.maxAge, seconds(value))
	case "s-maxage":
		c.sMaxAge = least(c.sMaxAge, seconds(value))
	case "stale-while-revalidate":
		c.whileAsked = least(c.whileAsked, seconds(value))
	case "min-fresh":
		c.minFresh = max(c.minFresh, seconds(value))
	case "only-if-cached":
		c.onlyCached = true
	case "stale-if-error":
		c.ifError = least(c.ifError, seconds(value))
	}
}

// least returns the shorter of two times; the first may be none.
func least(a, b time.Duration) time.Duration {
	if a == none {
		return b
	}
	return min(a, b)
}

// cutDirective removes the first directive from a list. ok is false if it is invalid.
func cutDirective(list string) (name, value, rest string, ok bool) {
	end := strings.IndexAny(list, ",=")
	if end < 0 {
		end = len(list)
	}
	name = strings.TrimSpace(list[:end])
	if list = list[end:]; !strings.HasPrefix(list, "=") {
		return name, "", strings.TrimPrefix(list, ","), isToken(name)
	}
	list = strings.TrimLeft(list[1:], " \t")
	if strings.HasPrefix(list, `"`) {
		value, rest, ok = cutQuoted(list[1:])
		after, rest, _ := strings.Cut(rest, ",")
		return name, value, rest, ok && isToken(name) && strings.TrimSpace(after) == ""
	}
	value, rest, _ = strings.Cut(list, ",")
	value = strings.TrimSpace(value)
	return name, value, rest, isToken(name) && isToken(value)
}

// isToken reports whether a text is a token (RFC 9110 section 5.6.2), or empty.
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !httpguts.IsTokenRune(r) })
}

// cutQuoted reads a quoted string (RFC 9110 section 5.6.4) after its first quote.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return b.String(), "", false
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), "", false
}

// seconds parses delta-seconds (RFC 9111 section 1.2.2). An invalid number gives 0, and a
// number that is too large gives 68 years.
func seconds(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > math.MaxInt32 {
		n = math.MaxInt32
	}
	return time.Duration(n) * time.Second
}

// restrict applies the prohibitions of CDN-Cache-Control (RFC 9213), which addresses the
// caches between clients and the origin. It ignores the field's permissions beyond
// Cache-Control, because these are for the caches of a CDN, and this is none.
func (c *control) restrict(fields []string) {
	if len(fields) == 0 {
		return
	}
	t := parseControl(fields)
	c.noStore, c.noCache, c.private = c.noStore || t.noStore, c.noCache || t.noCache, c.private || t.private
	if t.maxAge != none {
		c.sMaxAge = least(c.sMaxAge, least(c.maxAge, t.maxAge))
	}
}

// fresh returns the freshness of a response (RFC 9111 section 4.2.1), none if the
// response does not state it.
func (c *control) fresh(h http.Header, now time.Time) time.Duration {
	if c.sMaxAge != none {
		return c.sMaxAge
	}
	if c.maxAge != none {
		return c.maxAge
	}
	expires, ok := h["Expires"]
	if !ok {
		return none
	}
	t, ok := parseDate(expires[0])
	if !ok || len(expires) > 1 {
		return 0 // in the past (RFC 9111 section 5.3)
	}
	return max(t.Sub(dateOf(h, now)), 0)
}

// parseDate parses a date, only in the forms of RFC 9110 section 5.6.7.
func parseDate(s string) (time.Time, bool) {
	for _, form := range []string{http.TimeFormat, time.RFC850, time.ANSIC} {
		if t, err := time.Parse(form, s); err == nil && strings.EqualFold(t.Format(form), s) {
			return t, true
		}
	}
	return time.Time{}, false
}

// ageOf returns the age of a response on its arrival (RFC 9111 section 4.2.3).
func ageOf(h http.Header, now time.Time) time.Duration {
	first, _, _ := strings.Cut(h.Get("Age"), ",") // section 5.1
	return max(seconds(strings.TrimSpace(first)), now.Sub(dateOf(h, now)), 0)
}

func dateOf(h http.Header, now time.Time) time.Time {
	if t, ok := parseDate(h.Get("Date")); ok {
		return t
	}
	return now
}
