package proxy

import (
	"bytes"
	"maps"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// fieldTable finds header fields by name, in any spelling.
//
// Applications that get a header as variables (CGI, FastCGI, WSGI, PHP) cannot
// distinguish X-User, x_user and X.User: all of them are HTTP_X_USER. So a rule for a
// field applies to every name that folds to the same: upper and lower case are equal, and
// so are all bytes that are neither letters nor digits.
//
// The zero value is empty. After it has been filled, a table is safe for concurrent use.
type fieldTable struct {
	rules map[string]fieldRule // by folded name
	// lengths has, for the first byte of a folded name, a bit for each length in the
	// table. For most fields this test is enough.
	lengths [128]uint64
	prefix  string // folded; fields with this prefix and without a rule may not pass; "" = none
}

// fieldRule lists the spellings of a field that may pass.
type fieldRule struct {
	spelled []string // only these may pass
	trusted bool     // and only from a trusted proxy
}

// foldByte returns the folded form of a byte.
func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}

// fold appends the folded name to b.
func fold(b []byte, name string) []byte {
	for i := range len(name) {
		b = append(b, foldByte(name[i]))
	}
	return b
}

// lengthBit returns the bit of a name's length in fieldTable.lengths.
func lengthBit(n int) uint64 { return 1 << min(n, 63) }

// rule returns the rule for a field, in any of its spellings.
func (t *fieldTable) rule(name string) (rule fieldRule, ok bool) {
	if name == "" || t.lengths[foldByte(name[0])]&lengthBit(len(name)) == 0 {
		return fieldRule{}, false
	}
	var room [64]byte // no allocation for names of the usual length
	folded := fold(room[:0], name)
	if rule, ok = t.rules[string(folded)]; ok {
		return rule, true
	}
	return fieldRule{}, t.prefix != "" && bytes.HasPrefix(folded, []byte(t.prefix))
}

// passes reports whether a request field may pass. It ignores the case of letters.
func (t *fieldTable) passes(name string, trusted bool) bool {
	rule, ok := t.rule(name)
	return !ok || (trusted || !rule.trusted) && slices.ContainsFunc(rule.spelled, func(s string) bool { return header.EqualName(s, name) })
}

// restrict lets a field pass only in this spelling and in those of earlier calls. It does
// not replace a rule that refuses the field.
func (t *fieldTable) restrict(name string) {
	rule, ok := t.rule(name)
	if ok && (rule.trusted || len(rule.spelled) == 0) {
		return
	}
	rule.spelled = append(slices.Clip(rule.spelled), http.CanonicalHeaderKey(name))
	t.set(name, rule)
}

// refuse lets no spelling of a field pass.
func (t *fieldTable) refuse(name string) { t.set(name, fieldRule{}) }

// believe lets a field pass from trusted proxies only, in its canonical spelling.
func (t *fieldTable) believe(name string) {
	t.set(name, fieldRule{spelled: []string{http.CanonicalHeaderKey(name)}, trusted: true})
}

// refusePrefix lets no field with the prefix pass unless it has a rule.
func (t *fieldTable) refusePrefix(prefix string) {
	t.prefix = string(fold(nil, prefix))
	t.lengths[t.prefix[0]] |= ^(lengthBit(len(prefix)) - 1)
}

func (t *fieldTable) set(name string, rule fieldRule) {
	if name == "" {
		return
	}
	if t.rules == nil {
		t.rules = map[string]fieldRule{}
	}
	folded := string(fold(nil, name))
	t.rules[folded] = rule
	t.lengths[folded[0]] |= lengthBit(len(folded))
}

// drop deletes the fields that may not pass from any sender.
func (t *fieldTable) drop(fields message.Editor) {
	if len(t.rules) == 0 {
		return
	}
	switch h := fields.(type) {
	case *header.Head:
		h.DeleteFunc(func(f *header.Field) bool { return !t.passes(f.Name, true) })
	case http.Header:
		maps.DeleteFunc(h, func(name string, _ []string) bool { return !t.passes(name, true) })
	}
}
