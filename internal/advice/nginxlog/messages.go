package nginxlog

import (
	"bytes"
	"slices"
	"strings"
)

// Message is one row of the table of nginx's messages. A line that has one of the
// formats and meets the conditions has the cause. The first matching row counts.
type Message struct {
	Formats []string // formats in nginx's source; "%" and its letters match anything
	Errno   []int    // error numbers of Linux, one of which must be present; none = any
	While   string   // nginx's action at that time; "" = any
	Level   string   // "crit"; "" = any
	Cause   Cause    // Other = known, but unrelated to upstreams and limits
	Example string
}

// Messages returns all rows, for nginx 1.18 and later. The table of causes has the
// meaning and the remedy of each cause.
func Messages() []Message {
	return slices.Concat(messagesConnect(), messagesAnswer(), messagesGateways(), messagesHTTP2(), messagesTLS(), messagesResolver(), messagesHost())
}

// matcher finds the row for a message.
type matcher struct {
	byFirst  [256][]rule // rules by the first byte of the format
	anywhere []rule      // rules with a format that begins with a value
}

// rule is one format of a row.
type rule struct {
	pieces [][]byte // the texts between values
	while  []byte
	row    *Message
}

func newMatcher() *matcher {
	m := &matcher{}
	rows := Messages()
	for i := range rows {
		for _, format := range rows[i].Formats {
			r := rule{pieces(format), []byte(rows[i].While), &rows[i]}
			if first := r.pieces[0]; len(first) > 0 {
				m.byFirst[first[0]] = append(m.byFirst[first[0]], r)
				continue
			}
			m.anywhere = append(m.anywhere, r)
		}
	}
	return m
}

// match returns the row for the head of a message, nil if there is none.
func (m *matcher) match(head []byte, level string) *Message {
	if len(head) == 0 {
		return nil
	}
	errno, doing := -1, action(head)
	for _, rules := range [2][]rule{m.byFirst[head[0]], m.anywhere} {
		for i := range rules {
			r := &rules[i]
			if !r.has(head) || !bytes.Contains(doing, r.while) || r.row.Level != "" && r.row.Level != level {
				continue
			}
			if len(r.row.Errno) > 0 {
				if errno < 0 {
					errno = errnoOf(head)
				}
				if !slices.Contains(r.row.Errno, errno) {
					continue
				}
			}
			return r.row
		}
	}
	return nil
}

// action returns nginx's action, the text after the last " while ". Inside quotes it is
// text from a client and does not count.
func action(head []byte) []byte {
	i := bytes.LastIndex(head, []byte(" while "))
	if i < 0 || bytes.IndexByte(head[i:], '"') >= 0 {
		return nil
	}
	return head[i:]
}

// has reports whether a message has the format: it begins with the first piece, and the
// others follow in order.
func (r *rule) has(head []byte) bool {
	if !bytes.HasPrefix(head, r.pieces[0]) {
		return false
	}
	rest := head[len(r.pieces[0]):]
	for _, p := range r.pieces[1:] {
		i := bytes.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return true
}

// pieces splits a format at its values: %[0][width][u][x|X|m] and a letter, or %*s
// (ngx_vslprintf).
func pieces(format string) [][]byte {
	var list [][]byte
	text, rest, more := strings.Cut(format, "%")
	list = append(list, []byte(text))
	for more {
		rest = strings.TrimLeft(rest, "0123456789.*uxXm")
		if rest != "" {
			rest = rest[1:]
		}
		text, rest, more = strings.Cut(rest, "%")
		if text != "" {
			list = append(list, []byte(text))
		}
	}
	return list
}

func has(m []byte, marker string) bool { return bytes.Contains(m, []byte(marker)) }

// errnoOf returns the number in "failed (111: Connection refused)" as Linux's number; 0
// if there is none. It converts the numbers of other systems.
func errnoOf(m []byte) int {
	for {
		_, after, ok := bytes.Cut(m, []byte(" ("))
		if !ok {
			return 0
		}
		m = after
		n := int(number(after))
		if digits := bytes.IndexByte(after, ':'); n == 0 || digits < 1 || digits > 6 {
			continue
		}
		if linux, other := foreign(n); other {
			return linux
		}
		return n
	}
}

// foreign returns Linux's number for an error number of the BSDs, macOS or Windows, if
// nginx cannot meet that number on Linux.
func foreign(n int) (linux int, ok bool) {
	for _, pair := range [...][2]int{
		{35, 11}, {48, 98}, {49, 99}, {51, 101}, {54, 104}, {60, 110}, {61, 111}, {65, 113}, {69, 122},
		{10013, 13}, {10024, 24}, {10048, 98}, {10049, 99}, {10051, 101}, {10053, 104}, {10054, 104}, {10060, 110}, {10061, 111}, {10065, 113},
	} {
		if pair[0] == n {
			return pair[1], true
		}
	}
	return 0, false
}

// Number returns the number that the leading digits form.
func Number(b []byte) int64 { return number(b) }

func number(b []byte) int64 {
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<53 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
