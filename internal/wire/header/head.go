package header

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Field is one line of a head: its name and value as sent, without the spaces around the
// value.
type Field struct {
	Name  string
	Value string
	ID    Name
}

// Head is the head of an HTTP/1.1 message: its start line, and its fields in order. It is
// edited in place. Its strings are parts of the parsed block: clone one to keep it longer
// than the message.
//
// The zero value is an empty head. A Head belongs to one goroutine.
type Head struct {
	Start  string // start line, without its end
	Fields []Field
	has    uint64 // one bit for each Name that is, or was, in Fields
}

// Parse replaces the content of h by a start line and the fields up to the empty line. It
// reuses the memory of h.Fields. It refuses lines that do not have the form of RFC 9110,
// section 5. The error names no value, which may be a secret.
func (h *Head) Parse(block string) error {
	start, fields := CutLine(block)
	h.Start = start
	return h.ParseFields(fields)
}

// ParseFields is Parse for fields without a start line.
func (h *Head) ParseFields(lines string) error {
	h.Fields, h.has = h.Fields[:0], 0
	for at := 1; ; at++ {
		var line string
		line, lines = CutLine(lines)
		if line == "" {
			return nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return ErrFolded
		}
		n := nameLength(line)
		if n == 0 || n == len(line) || line[n] != ':' {
			return fmt.Errorf("malformed name of the header field in line %d", at) // the name may hold a secret
		}
		name, value := line[:n], trim(line[n+1:])
		if !validValue(value) {
			return fmt.Errorf("control character in the value of the header field %.100q", name) // the value may be a secret
		}
		h.append(Field{Name: name, Value: value, ID: Identify(name)})
	}
}

// Reset empties h. It keeps the memory of the fields, but not their strings.
func (h *Head) Reset() {
	clear(h.Fields)
	h.Start, h.Fields, h.has = "", h.Fields[:0], 0
}

// Index updates h after its caller has changed Fields directly.
func (h *Head) Index() {
	h.has = 0
	for i := range h.Fields {
		h.has |= 1 << h.Fields[i].ID
	}
}

func (h *Head) append(f Field) {
	h.Fields = append(h.Fields, f)
	h.has |= 1 << f.ID
}

// Has reports whether h has a field n.
func (h *Head) Has(n Name) bool { return h.has&(1<<n) != 0 && h.index(n) >= 0 }

// hasAny reports whether h may have one of several fields, given as bits.
func (h *Head) hasAny(mask uint64) bool { return h.has&mask != 0 }

func (h *Head) index(n Name) int {
	for i := range h.Fields {
		if h.Fields[i].ID == n {
			return i
		}
	}
	return -1
}

// Get returns the value of the first field n, empty without one.
func (h *Head) Get(n Name) string {
	if h.has&(1<<n) == 0 {
		return ""
	}
	if i := h.index(n); i >= 0 {
		return h.Fields[i].Value
	}
	return ""
}

// Count returns the number of fields n.
func (h *Head) Count(n Name) (count int) {
	if h.has&(1<<n) == 0 {
		return 0
	}
	for i := range h.Fields {
		if h.Fields[i].ID == n {
			count++
		}
	}
	return count
}

// Values returns the values of the fields n.
func (h *Head) Values(n Name) iter.Seq[string] {
	return func(yield func(string) bool) {
		if h.has&(1<<n) == 0 {
			return
		}
		for i := range h.Fields {
			if h.Fields[i].ID == n && !yield(h.Fields[i].Value) {
				return
			}
		}
	}
}

// ValuesOf returns the values of the fields called name, in any case.
func (h *Head) ValuesOf(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range h.Fields {
			if EqualName(h.Fields[i].Name, name) && !yield(h.Fields[i].Value) {
				return
			}
		}
	}
}

// Add adds a field after the others.
func (h *Head) Add(name, value string) {
	h.append(Field{Name: name, Value: value, ID: Identify(name)})
}

// Set makes a field the only one of its name. It replaces the first one, or adds the
// field after the others.
func (h *Head) Set(name, value string) {
	set := false
	kept := h.Fields[:0]
	for _, f := range h.Fields {
		switch {
		case !EqualName(f.Name, name):
			kept = append(kept, f)
		case !set:
			set = true
			f.Value = value
			kept = append(kept, f)
		}
	}
	h.cut(kept)
	if !set {
		h.Add(name, value)
	}
}

// Delete removes the fields n.
func (h *Head) Delete(n Name) {
	if h.has&(1<<n) != 0 {
		h.DeleteFunc(func(f *Field) bool { return f.ID == n })
		h.has &^= 1 << n
	}
}

// Del removes the fields called name, in any case.
func (h *Head) Del(name string) {
	h.DeleteFunc(func(f *Field) bool { return EqualName(f.Name, name) })
}

// DeleteFunc removes the fields for which del returns true.
func (h *Head) DeleteFunc(del func(*Field) bool) {
	kept := h.Fields[:0]
	for i := range h.Fields {
		if !del(&h.Fields[i]) {
			kept = append(kept, h.Fields[i])
		}
	}
	h.cut(kept)
}

// cut shortens the fields to kept, a prefix of their memory.
func (h *Head) cut(kept []Field) {
	clear(h.Fields[len(kept):])
	h.Fields = kept
}

// HasToken reports whether a field n, as a list, contains token in any case.
func (h *Head) HasToken(n Name, token string) bool {
	for v := range h.Values(n) {
		if ListHas(v, token) {
			return true
		}
	}
	return false
}

// ListHas reports whether a list (RFC 9110, section 5.6.1) contains token in any case.
func ListHas(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if EqualName(trim(part), token) {
			return true
		}
	}
	return false
}

// hopByHop are the hop-by-hop fields (RFC 9110, section 7.6.1; Keep-Alive and
// Proxy-Connection by custom).
const hopByHop = 1<<Connection | 1<<KeepAlive | 1<<ProxyAuthenticate | 1<<ProxyAuthorization |
	1<<ProxyConnection | 1<<TE | 1<<Trailer | 1<<TransferEncoding | 1<<Upgrade

// DeleteHopByHop removes the hop-by-hop fields, and those that Connection names. Its time
// is proportional to the length of the head, whatever the head names.
func (h *Head) DeleteHopByHop() {
	if !h.hasAny(hopByHop) {
		return
	}
	drop, others := uint64(hopByHop), nameSet{}
	for v := range h.Values(Connection) {
		for part := range strings.SplitSeq(v, ",") {
			name := trim(part)
			if id := Identify(name); id != Other {
				drop |= 1 << id
			} else if name != "" {
				others.add(name)
			}
		}
	}
	h.DeleteFunc(func(f *Field) bool {
		if f.ID == Other {
			return others.has(f.Name)
		}
		return drop&(1<<f.ID) != 0
	})
	h.has &^= drop
}

// DeleteHopByHop is [Head.DeleteHopByHop] for a map.
func DeleteHopByHop(h http.Header) {
	for _, line := range h[Connection.String()] {
		for part := range strings.SplitSeq(line, ",") {
			h.Del(trim(part))
		}
	}
	for n := Other + 1; n < numNames; n++ {
		if hopByHop&(1<<n) != 0 {
			delete(h, n.String())
		}
	}
}

// nameSet is a set of names in any case. The first four need no allocation.
type nameSet struct {
	few  [4]string
	n    int
	many map[string]struct{} // the others, in lower case; nil without others
}

func (s *nameSet) add(name string) {
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return
	}
	if s.many == nil {
		s.many = map[string]struct{}{}
	}
	s.many[strings.ToLower(name)] = struct{}{}
}

func (s *nameSet) has(name string) bool {
	for _, have := range s.few[:s.n] {
		if EqualName(have, name) {
			return true
		}
	}
	if s.many == nil {
		return false
	}
	_, ok := s.many[strings.ToLower(name)]
	return ok
}

// AppendField appends one field line.
func AppendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// Header returns the fields as a map. The values of fields with the same name keep their
// order.
func (h *Head) Header() http.Header {
	m, values := make(http.Header, len(h.Fields)), make([]string, len(h.Fields))
	for i := range h.Fields {
		f := &h.Fields[i]
		key := f.ID.String()
		if f.ID == Other {
			key = textproto.CanonicalMIMEHeaderKey(f.Name)
		}
		if have, ok := m[key]; ok {
			m[key] = append(have, f.Value)
			continue
		}
		values[0] = f.Value
		m[key], values = values[:1:1], values[1:]
	}
	return m
}

// nameLength returns the number of bytes at the beginning of line that a name may
// contain.
func nameLength(line string) int {
	for i := range len(line) {
		if class[line[i]]&token == 0 {
			return i
		}
	}
	return len(line)
}

func validValue(v string) bool {
	for i := range len(v) {
		if class[v[i]]&text == 0 {
			return false
		}
	}
	return true
}

// trim removes the spaces and tabs at both ends (OWS of RFC 9110, section 5.6.3).
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// Classes of bytes.
const (
	token = 1 << iota // may be in a name (RFC 9110, section 5.6.2)
	text              // may be in a value (RFC 9110, section 5.5)
)

var class = func() (table [256]uint8) {
	for c := range table {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0:
			table[c] = token | text
		case c == '\t', c >= ' ' && c != 0x7f:
			table[c] = text
		}
	}
	return table
}()

// Of returns a head with the fields of a map, sorted by name.
func Of(fields http.Header) *Head {
	h := new(Head)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, v := range fields[name] {
			h.Add(name, v)
		}
	}
	return h
}
