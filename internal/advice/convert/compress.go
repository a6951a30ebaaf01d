package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// compressing enables compression on a route, with those of the encodings that goodgate
// has. It returns false if there is none, or if goodgate cannot have the minimum size.
func (r *route) compressing(encodings []string, least int) bool {
	have := slices.DeleteFunc(slices.Clone(encodings), func(s string) bool { return s != "gzip" && s != "zstd" })
	if len(have) == 0 || least < 0 || least > 1<<30 {
		return false
	}
	r.compress = fmt.Sprintf("{encodings: [%s], min_size: %dB}", strings.Join(slices.Compact(have), ", "), least)
	return true
}

// isMediaType reports whether compress.types accepts a text.
func isMediaType(text string) bool {
	kind, sub, ok := strings.Cut(text, "/")
	return ok && isToken(kind) && isToken(sub) && !strings.Contains(text, "*")
}

// compress converts Traefik's compress. It notes excluded types, and encodings that
// goodgate lacks.
func (t *traefik) compress(m *tree, d *draft) {
	encodings := m.strs("encodings")
	if len(encodings) == 0 {
		encodings = []string{"zstd", "gzip"}
	}
	least := 1024
	if text := m.str("minResponseBodyBytes"); text != "" && text != "0" {
		n, err := strconv.Atoi(text)
		if err != nil {
			n = -1
		}
		least = n
	}
	if !d.compressing(encodings, least) {
		t.note(m.at, "compress", "left out: goodgate compresses only with gzip and zstd")
		return
	}
	if slices.Contains(encodings, "br") {
		t.note(m.at, "compress", "goodgate compresses with gzip and zstd, not with Brotli")
	}
	if types := m.strs("includedContentTypes"); len(types) > 0 && !slices.ContainsFunc(types, func(s string) bool { return !isMediaType(s) }) {
		d.compress = strings.TrimSuffix(d.compress, "}") + ", types: " + list(slices.Compact(types)) + "}"
	} else if len(types)+len(m.strs("excludedContentTypes")) > 0 {
		t.note(m.at, "compress", "its types are left out: set compress.types instead")
	}
}
