package discovery

import (
	"maps"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

// Lifecycle is what a source says about a target.
type Lifecycle uint8

const (
	Serving     Lifecycle = iota // takes requests
	NotReady                     // exists, and takes no requests yet, or takes none at present
	Terminating                  // is about to end: takes no new requests; those in flight go on
)

// lifecycleWords are how files and answers write them. Never changed.
var lifecycleWords = map[string]Lifecycle{"serving": Serving, "not_ready": NotReady, "terminating": Terminating}

// String returns the word that files and answers use.
func (l Lifecycle) String() string {
	for word, is := range lifecycleWords {
		if is == l {
			return word
		}
	}
	return ""
}

// Bounds of what a source may tell of one target.
const (
	maxZone     = 63  // bytes
	maxMetaKeys = 16  // the first by name are kept
	maxMetaKey  = 63  // bytes; longer ones are left out
	maxMetaText = 128 // bytes; longer ones are cut off
)

// IsZone reports whether s can be the name of a zone: 1 to 63 letters, digits, ".", "_",
// "-", ":" and "/".
func IsZone(s string) bool {
	return s != "" && len(s) <= maxZone && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-:/", r)
	})
}

// Metadata is what a source tells of a target for people to read, as sorted lines
// of key=value. It is comparable, so that targets are.
type Metadata string

// NewMetadata returns what of m fits the bounds: 16 keys of at most 63 bytes, with
// 128 bytes of text each. What is not printable is escaped.
func NewMetadata(m map[string]string) Metadata {
	var b strings.Builder
	n := 0
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if n == maxMetaKeys {
			break
		}
		if key == "" || len(key) > maxMetaKey || strings.ContainsAny(key, "=\n") || printable.Text(key) != key {
			continue
		}
		n++
		b.WriteString(key + "=" + cut(printable.Text(m[key]), maxMetaText) + "\n")
	}
	return Metadata(b.String())
}

// cut returns s, or its first n bytes at most, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// Map returns the keys and their texts, nil for none.
func (m Metadata) Map() map[string]string {
	if m == "" {
		return nil
	}
	all := map[string]string{}
	for line := range strings.Lines(string(m)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		all[key] = text
	}
	return all
}
