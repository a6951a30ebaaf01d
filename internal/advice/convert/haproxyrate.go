package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

var requestRate = regexp.MustCompile(`^\{ (?:sc0?_http_req_rate\(0(?:,[^)]*)?\)|sc0_http_req_rate|src_http_req_rate(?:\([^)]*\))?) (gt|ge) (\d+) \}$`)

var storedRate = regexp.MustCompile(`http_req_rate\(([0-9a-z]+)\)`)

// rate converts a deny by the request rate that a stick-table counts by client address,
// header or cookie.
func (h *fromHAProxy) rate(s *haproxy.Section, l haproxy.Line, r *route) bool {
	i := slices.Index(l.Words, "if")
	if i < 0 || l.Word(0) != "http-request" || l.Word(1) != "deny" && l.Word(1) != "tarpit" {
		return false
	}
	text := l.Words[i+1:]
	if len(text) == 1 {
		if acls := aclsOf(s, l).All("acl", text[0]); len(acls) == 1 {
			text = slices.Concat([]string{"{"}, acls[0].Words[2:], []string{"}"})
		}
	}
	m := requestRate.FindStringSubmatch(strings.Join(text, " "))
	if m == nil {
		return false
	}
	on, tracks, ok := h.tracked(s, strings.Contains(strings.Join(text, " "), "src_http"))
	if !ok {
		return false
	}
	table, ok := h.table(s, tracks, on)
	per := storedRate.FindStringSubmatch(strings.Join(table.Words, " "))
	most, err := strconv.Atoi(m[2])
	if !ok || per == nil || err != nil {
		return false
	}
	if m[1] == "ge" {
		most-- // this request is already counted
	}
	span, ok := haproxy.Duration(per[1])
	if !ok || most < 1 || most > 1e7 || span.Milliseconds() < 1 || span.Hours() > 24 {
		return false
	}
	entry := "{on: " + word(on) + ", requests: " + strconv.Itoa(most) + ", per: " + span.String()
	if on == "client_ip" {
		entry = "{on: client_ip, requests: " + strconv.Itoa(most) + ", per: " + span.String() + ", ipv6_prefix: 128"
	}
	r.rates = append(r.rates, entry+"}")
	h.note(l.At(), "http-request "+l.Word(1), "requests above the limit get 429. Each route counts separately")
	h.use(l, table)
	h.use(tracks...)
	return true
}

// tracked returns the key of a section's counter 0, and the lines that define it.
func (h *fromHAProxy) tracked(s *haproxy.Section, bySource bool) (on string, tracks []haproxy.Line, ok bool) {
	for _, l := range slices.Concat(s.All("tcp-request", "connection", "track-sc0"), s.All("tcp-request", "content", "track-sc0"), s.All("http-request", "track-sc0")) {
		fetch := l.Words[slices.Index(l.Words, "track-sc0")+1:]
		key, known := hashed(first(fetch))
		if !known || on != "" && on != key || len(fetch) != 1 && (len(fetch) != 3 || fetch[1] != "table") || key == "path" || key == "uri" || strings.HasPrefix(key, "query:") {
			return "", nil, false
		}
		on, tracks = key, append(tracks, l)
	}
	if on == "" && bySource {
		on = "client_ip"
	}
	return on, tracks, on != ""
}

// table returns the stick-table of a section, or the one that its track line names.
func (h *fromHAProxy) table(s *haproxy.Section, tracks []haproxy.Line, on string) (haproxy.Line, bool) {
	table := s.One("stick-table")
	for _, l := range tracks {
		if name := l.After("table"); name != "" {
			other := h.Find("backend", name)
			if other == nil {
				return table, false
			}
			h.reached[other] = true
			table = other.One("stick-table")
		}
	}
	kinds := []string{"string", "binary"}
	if on == "client_ip" {
		kinds = []string{"ip", "ipv6"}
	}
	return table, slices.Contains(kinds, table.After("type"))
}
